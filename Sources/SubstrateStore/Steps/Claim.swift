package import Etcd
package import SubstrateModel

/// What a workflow holds of an actor: the rows as it last knew them, under its operation.
package struct Claim: Sendable, Equatable {
    package var ref: ActorRef
    package var actor: Stored<Actor>
    package var worker: WorkerRef
    package var binding: Stored<Binding>
    package var token: OperationToken

    package init(
        ref: ActorRef, actor: Stored<Actor>, worker: WorkerRef, binding: Stored<Binding>, token: OperationToken
    ) {
        self.ref = ref
        self.actor = actor
        self.worker = worker
        self.binding = binding
        self.token = token
    }

    /// What a call to the node carries.
    package var fences: Fences {
        Fences(incarnation: binding.value.incarnation, epoch: binding.epoch, operation: token)
    }
}

extension Store {
    /// Claims a free worker for a suspended or paused actor: actor RESUMING, binding and operation, in one transaction.
    /// - Parameters:
    ///   - presence: of the worker, as the watch showed it.
    ///   - fallback: says why the actor is to start without its local snapshot, if that is so.
    ///   - lease: of this replica; the operation goes away with it.
    /// - Throws: `.conflict` with all four rows when the actor, the worker or the operation is not as expected.
    package func claim(
        _ ref: ActorRef, _ actor: Stored<Actor>, worker: WorkerRef, presence: Stored<Presence>,
        fallback: Fallback? = nil, operation: Operation, lease: LeaseID
    ) async throws(StoreError) -> Claim {
        let assignment = Assignment(worker: worker, uid: presence.value.uid)
        let next = try actor.value.after(.claimed(assignment, fallback: fallback))
        let binding = Binding(
            actor: ref, actorUID: actor.value.uid, template: actor.value.template, incarnation: presence.incarnation,
            phase: .claimed)
        let keys = (actor: keys.actor(ref), bound: keys.bound(worker), operation: keys.operation(ref))
        let revision = try await step(
            ref, on: worker,
            when: [
                keys.actor.modRevision == actor.modRevision,
                self.keys.live(worker).modRevision == presence.modRevision,
                keys.bound.isAbsent,
                keys.operation.isAbsent,
            ],
            then: try replace(ref, actor.value, with: next) + [
                .put(keys.bound, try Codec.encode(binding, for: keys.bound)),
                .put(keys.operation, try Codec.encode(operation, for: keys.operation), lease: lease),
            ])
        return Claim(
            ref: ref, actor: actor.updated(next, at: revision), worker: worker,
            binding: .created(binding, at: revision), token: OperationToken(revision))
    }
}
