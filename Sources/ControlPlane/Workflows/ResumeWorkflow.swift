internal import Etcd
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// Puts an actor on a worker.
///
/// 1. claim: a free worker, in one transaction; when it turns out to be taken or gone, the next one.
/// 2. call the node: Restore from the last snapshot, or Run from the template.
/// 3. settle: RUNNING on the node's word, or undone on its receipt.
struct ResumeWorkflow: Workflow {
    let control: ControlPlane
    let session: Session
    let ref: ActorRef

    func run(from actor: Stored<Actor>) async throws(ControlError) -> Stored<Actor> {
        var actor = actor
        while true {
            switch actor.value.state {
            case .running: return actor
            case .resuming, .suspending: actor = try await adopt(actor)
            case .suspended:
                let template = try await template(of: actor.value)
                switch try await claim(actor, template) {
                case .claimed(let claim): return try await start(claim, template)
                case .changed(let fresh): actor = fresh
                }
            }
        }
    }

    private enum ClaimOutcome {
        case claimed(Claim)
        /// Somebody changed the actor first; this is what it is now.
        case changed(Stored<Actor>)
    }

    private func claim(_ actor: Stored<Actor>, _ template: ActorTemplate) async throws(ControlError) -> ClaimOutcome {
        guard inventory.isListed else { throw .unavailable("this replica has not listed the workers yet") }
        let pools = try await pools(for: actor.value, template)
        let operation = newOperation(.resume)
        // Workers that turned out not to be free stay reserved until this is over, so that none is tried twice.
        var tried: [WorkerRef] = []
        defer { for worker in tried { inventory.unreserve(worker) } }
        while true {
            let worker = try inventory.findFreeWorker(
                pools: pools, template: template, actor: actor.value, environment.chance)
            tried.append(worker.ref)
            do {
                let claim = try await resolving(operation, on: worker.ref) { () throws(StoreError) in
                    try await store.claim(
                        ref, actor, worker: worker.ref, presence: worker.presence, operation: operation,
                        lease: session.lease)
                }
                inventory.take(binding: claim.binding, of: worker.ref)
                return .claimed(claim)
            } catch .conflict(let rows) {
                inventory.take(
                    presence: rows.presence, binding: rows.binding, of: worker.ref, at: rows.revision)
                guard let fresh = rows.actor else { throw .actorNotFound(ref) }
                if rows.operation != nil { throw .operationInProgress }
                if fresh.modRevision != actor.modRevision { return .changed(fresh) }
            } catch {
                throw ControlError(error)
            }
        }
    }

    /// The pools as they have been seen; where none of those will do, as the store has them: the right one may just have been
    /// declared.
    private func pools(for actor: Actor, _ template: ActorTemplate) async throws(ControlError) -> [WorkerPool] {
        let known = control.catalog.pools
        if !eligiblePools(known, template: template, actor: actor).isEmpty { return known }
        do { return try await store.listPools() } catch { throw ControlError(error) }
    }

    private func start(_ claim: Claim, _ template: ActorTemplate) async throws(ControlError) -> Stored<Actor> {
        let workerUID = claim.actor.value.state.assignment?.uid ?? ""
        let workload = workload(claim.actor.value, template)
        let snapshot = claim.actor.value.lastSnapshot
        let settlement = try await settle(claim) { (nodes, address) throws(NodeFailure) in
            if let snapshot {
                let request = RestoreRequest(
                    workerUID: workerUID, workload: workload, snapshot: snapshot, content: template.onCommit)
                return try await nodes.restore(request, claim.fences, at: address)
            }
            let request = RunRequest(workerUID: workerUID, workload: workload)
            return try await nodes.run(request, claim.fences, at: address)
        }
        switch settlement {
        case .done(let actor): return actor
        case .undone(_, let failure?): throw .node(failure)
        case .undone: throw .workerLost(claim.worker)
        }
    }
}
