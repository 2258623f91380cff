package import SubstrateModel

extension Store {
    /// Takes a resume back: actor back to SUSPENDED or PAUSED as before, binding and operation gone.
    ///
    /// Only on the node's receipt that the epoch is stopped or was refused for good: a start that is still under way
    /// somewhere must not be able to happen after this.
    package func undoResume(
        _ claim: Claim, because failure: ResumeFailure? = nil
    ) async throws(StoreError) -> Stored<Actor> {
        let undone = try claim.actor.value.after(.resumeUndone(because: failure))
        // A row that is full to the brim has no room for the reason.
        let hasRoom = Codec.size(undone) <= Codec.maximumSize
        return try await end(claim, .resumeUndone(because: hasRoom ? failure : nil))
    }
}
