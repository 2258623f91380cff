internal import Etcd
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// Writes a snapshot of an actor and frees its worker.
///
/// 1. begin: SUSPENDING, with the name of the snapshot to be written.
/// 2. call the node: Checkpoint.
/// 3. settle: SUSPENDED at the new snapshot on the node's receipt for it; otherwise back to running, or abandoned.
struct SuspendWorkflow: Workflow {
    let control: ControlPlane
    let session: Session
    let ref: ActorRef

    func run(from actor: Stored<Actor>) async throws(ControlError) -> Stored<Actor> {
        var actor = actor
        while true {
            switch actor.value.state {
            case .suspended: return actor
            case .resuming, .suspending: actor = try await adopt(actor)
            case .running(let assignment):
                let template = try await template(of: actor.value)
                switch try await begin(actor, assignment.worker, template) {
                case .begun(let claim): return try await checkpoint(claim, template)
                case .changed(let fresh): actor = fresh
                }
            }
        }
    }

    private enum BeginOutcome {
        case begun(Claim)
        case changed(Stored<Actor>)
    }

    private func begin(
        _ actor: Stored<Actor>, _ worker: WorkerRef, _ template: ActorTemplate
    ) async throws(ControlError) -> BeginOutcome {
        let operation = newOperation(.suspend)
        let snapshot = SnapshotURI(
            location: template.snapshotLocation, actorUID: actor.value.uid, nonce: operation.nonce)
        // Usually the watch has shown it. When that does not fit, it is the watch that lags until the store says otherwise.
        var known = inventory.row(worker)?.binding
        while true {
            let rows: Rows
            do {
                if let binding = known, binding.value.phase == .ready, binding.value.actorUID == actor.value.uid {
                    let claim = try await resolving(operation, on: worker) { () throws(StoreError) in
                        try await store.beginSuspend(
                            ref, actor, worker: worker, binding: binding, snapshot: snapshot, operation: operation,
                            lease: session.lease)
                    }
                    return .begun(claim)
                }
                rows = try await store.rows(ref, on: worker)
            } catch .conflict(let conflicting) {
                rows = conflicting
            } catch {
                throw ControlError(error)
            }
            inventory.take(presence: rows.presence, binding: rows.binding, of: worker, at: rows.revision)
            guard let fresh = rows.actor else { throw .actorNotFound(ref) }
            if rows.operation != nil { throw .operationInProgress }
            if fresh.modRevision != actor.modRevision { return .changed(fresh) }
            if rows.binding?.modRevision == known?.modRevision { throw .workerLost(worker) }
            known = rows.binding
        }
    }

    private func checkpoint(_ claim: Claim, _ template: ActorTemplate) async throws(ControlError) -> Stored<Actor> {
        guard case .suspending(let assignment, let snapshot) = claim.actor.value.state else { throw .conflict }
        let request = CheckpointRequest(
            workerUID: assignment.uid, workload: workload(claim.actor.value, template), snapshot: snapshot,
            content: template.onCommit)
        let settlement = try await settle(claim) { (nodes, address) throws(NodeFailure) in
            try await nodes.checkpoint(request, claim.fences, at: address)
        }
        switch settlement {
        case .done(let actor): return actor
        case .undone(_, let failure?): throw .node(failure)
        case .undone: throw .diedWhileSuspending
        }
    }
}
