package import Etcd
package import SubstrateModel

extension Store {
    /// Begins a suspend: actor SUSPENDING with the snapshot to be written, and the operation.
    /// - Parameters:
    ///   - binding: of the actor's worker; has to be ready.
    ///   - recovery: what is to follow when the actor has to leave its worker.
    /// - Throws: `.conflict` with all four rows.
    package func beginSuspend(
        _ ref: ActorRef, _ actor: Stored<Actor>, worker: WorkerRef, binding: Stored<Binding>, snapshot: SnapshotURI,
        recovery: Recovery? = nil, operation: Operation, lease: LeaseID
    ) async throws(StoreError) -> Claim {
        try await begin(
            .suspendBegan(snapshot: snapshot, recovery: recovery), ref, actor, worker, binding, operation, lease)
    }

    /// Begins a pause: actor PAUSING with the local snapshot to be written, and the operation.
    /// - Parameter binding: of the actor's worker; has to be ready.
    /// - Throws: `.conflict` with all four rows.
    package func beginPause(
        _ ref: ActorRef, _ actor: Stored<Actor>, worker: WorkerRef, binding: Stored<Binding>, snapshot: LocalSnapshot,
        operation: Operation, lease: LeaseID
    ) async throws(StoreError) -> Claim {
        try await begin(.pauseBegan(snapshot: snapshot), ref, actor, worker, binding, operation, lease)
    }

    private func begin(
        _ event: ActorEvent, _ ref: ActorRef, _ actor: Stored<Actor>, _ worker: WorkerRef, _ binding: Stored<Binding>,
        _ operation: Operation, _ lease: LeaseID
    ) async throws(StoreError) -> Claim {
        let next = try actor.value.after(event)
        let keys = (actor: keys.actor(ref), bound: keys.bound(worker), operation: keys.operation(ref))
        let revision = try await step(
            ref, on: worker,
            when: [
                keys.actor.modRevision == actor.modRevision,
                keys.bound.modRevision == binding.modRevision,
                keys.operation.isAbsent,
            ],
            then: try replace(ref, actor.value, with: next) + [
                .put(keys.operation, try Codec.encode(operation, for: keys.operation), lease: lease)
            ])
        return Claim(
            ref: ref, actor: actor.updated(next, at: revision), worker: worker, binding: binding,
            token: OperationToken(revision))
    }

    /// Ends a suspend: actor SUSPENDED with the new last snapshot, binding and operation gone.
    ///
    /// Only on the node's receipt for the very snapshot that the row names.
    package func finishSuspend(_ claim: Claim, snapshot: SnapshotURI) async throws(StoreError) -> Stored<Actor> {
        try await end(claim, .suspended(snapshot: snapshot))
    }

    /// Ends a pause: actor PAUSED with the new local snapshot beside its last external one, binding and operation gone.
    ///
    /// Only on the node's receipt for the very snapshot that the row names.
    package func finishPause(_ claim: Claim, snapshot: LocalSnapshotName) async throws(StoreError) -> Stored<Actor> {
        try await end(claim, .paused(snapshot: snapshot))
    }

    /// Gives a suspend or pause up whose actor has died: actor SUSPENDED at its last snapshot, binding and operation gone.
    ///
    /// Only on the node's receipt "not running", which has burned the epoch.
    package func abandon(_ claim: Claim) async throws(StoreError) -> Stored<Actor> {
        try await end(claim, .abandoned)
    }
}
