internal import Etcd
package import SubstrateModel

extension Store {
    /// Ends a resume, or a suspend or pause that has come to nothing: actor RUNNING, binding ready, operation gone.
    ///
    /// Only on the node's word "running" for this epoch under this operation.
    /// - Parameter address: where it runs, as the node has said.
    package func confirmRunning(
        _ claim: Claim, at address: ActorAddress
    ) async throws(StoreError) -> (actor: Stored<Actor>, binding: Stored<Binding>) {
        let next = try claim.actor.value.after(.runningConfirmed(at: address))
        var binding = claim.binding.value
        binding.phase = .ready
        binding.address = address
        let bound = keys.bound(claim.worker)
        let revision = try await step(
            claim.ref, on: claim.worker, when: conditions(claim),
            then: try replace(claim.ref, claim.actor.value, with: next) + [
                .put(bound, try Codec.encode(binding, for: bound)),
                .delete(keys.operation(claim.ref)),
            ])
        return (claim.actor.updated(next, at: revision), claim.binding.updated(binding, at: revision))
    }
}
