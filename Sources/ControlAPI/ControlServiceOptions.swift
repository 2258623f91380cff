package import Identity

/// What the services may do beside what they always do.
package struct ControlServiceOptions: Sendable {
    /// Whether `DebugClear` deletes everything; otherwise it is refused.
    package var allowsDebugClear = false
    /// How long a resume waits for a worker when none is free; zero not to.
    package var capacityWait: Duration = .zero
    /// Nil: no identities are minted.
    package var minter: SessionMinter?
    /// The SPIFFE trust domain in the names of workers that ask for identities.
    package var workerTrustDomain = "substrate.local"
    /// The longest that a stream lasts, as with the watches of Kubernetes' API: opening another is cheap.
    package var streamLifetime: Duration = .seconds(3600)

    package init() {}
}
