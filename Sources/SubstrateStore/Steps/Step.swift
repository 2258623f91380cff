internal import Etcd
package import SubstrateModel

extension Store {
    /// Commits one step of an actor's life, or throws the conflict with the rows as they are now.
    /// - Returns: the revision of the commit.
    func step(
        _ ref: ActorRef, on worker: WorkerRef?, when conditions: [Compare], then writes: [Transaction.Operation]
    ) async throws(StoreError) -> Int64 {
        let outcome = try await commit(when: conditions, then: writes, otherwiseRead: stepKeys(ref, worker))
        switch outcome {
        case .applied(let revision): return revision
        case .refused(let revision, let pairs):
            throw .conflict(try rows(ref, worker, revision: revision, pairs))
        }
    }

    /// What every step of a running workflow compares: actor and binding as it knows them, and its own operation.
    func conditions(_ claim: Claim) -> [Compare] {
        [
            keys.actor(claim.ref).modRevision == claim.actor.modRevision,
            keys.bound(claim.worker).modRevision == claim.binding.modRevision,
            keys.operation(claim.ref).createRevision == claim.token.revision,
        ]
    }

    /// Ends the claim: the actor gets its next state, binding and operation go.
    func end(_ claim: Claim, _ event: ActorEvent) async throws(StoreError) -> Stored<Actor> {
        let next = try claim.actor.value.after(event)
        let revision = try await step(
            claim.ref, on: claim.worker, when: conditions(claim),
            then: try replace(claim.ref, claim.actor.value, with: next) + [
                .delete(keys.bound(claim.worker)),
                .delete(keys.operation(claim.ref)),
            ])
        return claim.actor.updated(next, at: revision)
    }
}

extension Actor {
    /// `transition`, with the store's error.
    package func after(_ event: ActorEvent) throws(StoreError) -> Actor {
        do {
            return try transition(event)
        } catch {
            throw .illegal(error)
        }
    }
}
