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
    let hand: Hand
    let ref: ActorRef

    func run(from actor: Stored<Actor>) async throws(ControlError) -> Stored<Actor> {
        var actor = actor
        while true {
            switch actor.value.state {
            case .suspended: return actor
            case .paused: throw .isPaused(ref)
            case .resuming, .suspending, .pausing: actor = try await adopt(actor)
            case .running(let assignment):
                let template = try await template(of: actor.value)
                switch try await begin(actor, assignment.worker, template) {
                case .begun(let claim): return try await checkpoint(claim, template, template.onCommit)
                case .changed(let fresh): actor = fresh
                }
            }
        }
    }

    private func begin(
        _ actor: Stored<Actor>, _ worker: WorkerRef, _ template: ActorTemplate
    ) async throws(ControlError) -> BeginOutcome {
        let operation = newOperation(.suspend)
        let snapshot = SnapshotURI(
            location: template.snapshotLocation, actorUID: actor.value.uid, nonce: operation.nonce)
        return try await begin(operation, actor, on: worker) { (binding) throws(StoreError) in
            try await store.beginSuspend(
                ref, actor, worker: worker, binding: binding, snapshot: snapshot, operation: operation,
                lease: session.lease)
        }
    }
}
