internal import Etcd
package import SubstrateModel

extension Store {
    /// Deletes an operation that was left on an actor which is not in a transitional state, or on none.
    /// - Parameter actor: as it was read; nil when there was none.
    /// - Throws: `.conflict` when either has changed.
    package func dropOperation(
        _ token: OperationToken, of ref: ActorRef, _ actor: Stored<Actor>?
    ) async throws(StoreError) {
        let key = keys.actor(ref)
        _ = try await step(
            ref, on: nil,
            when: [
                keys.operation(ref).createRevision == token.revision,
                actor.map { key.modRevision == $0.modRevision } ?? key.isAbsent,
            ], then: [.delete(keys.operation(ref))])
    }
}
