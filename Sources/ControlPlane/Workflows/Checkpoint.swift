internal import Etcd
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// What came of beginning a suspend or a pause.
enum BeginOutcome: Sendable {
    case begun(Claim)
    /// Somebody changed the actor first; this is what it is now.
    case changed(Stored<Actor>)
}

extension Workflow {
    /// Finds the ready binding of a running actor and begins with it.
    func begin(
        _ operation: Operation, _ actor: Stored<Actor>, on worker: WorkerRef,
        _ step: (Stored<Binding>) async throws(StoreError) -> Claim
    ) async throws(ControlError) -> BeginOutcome {
        // Usually the watch has shown it. When that does not fit, it is the watch that lags until the store says otherwise.
        var known = inventory.row(worker)?.binding
        while true {
            let rows: Rows
            do {
                if let binding = known, binding.value.phase == .ready, binding.value.actorUID == actor.value.uid {
                    let claim = try await resolving(operation, on: worker) { () throws(StoreError) in
                        try await step(binding)
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

    /// Has the node write the snapshot that the row names, and settles.
    /// - Parameter minimumIdleness: without which the actor is to go on running.
    func checkpoint(
        _ claim: Claim, _ template: ActorTemplate, _ content: SnapshotContent, minimumIdleness: Duration? = nil
    ) async throws(ControlError) -> Stored<Actor> {
        guard let assignment = claim.actor.value.state.assignment,
            let snapshot = claim.actor.value.state.inProgressSnapshot
        else { throw .conflict }
        let request = CheckpointRequest(
            workerUID: assignment.uid, workload: workload(claim.actor.value, template), snapshot: snapshot,
            content: content, minimumIdleness: minimumIdleness)
        let settlement = try await settle(claim) { (nodes, address) throws(NodeFailure) in
            try await nodes.checkpoint(request, claim.fences, at: address)
        }
        switch settlement {
        case .done(let actor): return actor
        case .undone(_, let failure?, _): throw .node(failure)
        case .undone: throw .diedWhileSuspending
        }
    }
}
