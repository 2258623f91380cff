internal import SubstrateModel

/// Which actors a router reaches itself, and which by the routers of their machines.
package struct Neighbourhood: Sendable {
    /// Where this router takes requests of others, which is what the agents of its machine say of their workers; nil when it
    /// takes none.
    package var ownAddress: String?
    /// Whether it can send requests to other routers: it has the certificates for that.
    package var passesOn: Bool

    package init(ownAddress: String? = nil, passesOn: Bool = false) {
        self.ownAddress = ownAddress
        self.passesOn = passesOn
    }

    /// Where requests go for an actor that listens at `actor`, on a machine whose router takes requests at `router`.
    func destination(_ actor: ActorAddress, behind router: String?) -> Destination {
        guard let router, router != ownAddress else { return Destination("\(actor)") }
        return Destination(router, isRouter: true)
    }
}
