package import Etcd
package import SubstrateModel

extension Store {
    /// Takes over an actor in a transitional state whose operation is gone, because the replica that ran it is.
    /// - Throws: `.conflict` when the actor has moved on or somebody else has adopted it.
    package func adopt(
        _ ref: ActorRef, _ actor: Stored<Actor>, worker: WorkerRef, binding: Stored<Binding>, operation: Operation,
        lease: LeaseID
    ) async throws(StoreError) -> Claim {
        let key = keys.operation(ref)
        let revision = try await step(
            ref, on: worker,
            when: [keys.actor(ref).modRevision == actor.modRevision, key.isAbsent],
            then: [.put(key, try Codec.encode(operation, for: key), lease: lease)])
        return Claim(
            ref: ref, actor: actor, worker: worker, binding: binding, token: OperationToken(revision))
    }
}
