package import SubstrateModel

extension Store {
    /// Takes a resume back: actor back to SUSPENDED or PAUSED as before, binding and operation gone.
    ///
    /// Only on the node's receipt that the epoch is stopped or was refused for good: a start that is still under way
    /// somewhere must not be able to happen after this.
    package func undoResume(_ claim: Claim) async throws(StoreError) -> Stored<Actor> {
        try await end(claim, .resumeUndone)
    }
}
