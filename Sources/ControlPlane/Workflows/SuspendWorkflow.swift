internal import Etcd
internal import ServiceKit
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
    var cause = SuspendCause.request

    /// - Returns: the actor; not suspended when the cause is none any more.
    func run(from actor: Stored<Actor>) async throws(ControlError) -> Stored<Actor> {
        try await measured(.suspend) { () throws(ControlError) in try await carryOut(from: actor) }
    }

    private func carryOut(from actor: Stored<Actor>) async throws(ControlError) -> Stored<Actor> {
        var actor = actor
        while true {
            switch actor.value.state {
            case .suspended where cause == .request && actor.value.isResumeDue:
                // It has come to that in another way, such as the loss of its worker.
                do throws(ControlError) {
                    return try await control.takeBackWhatFollows(actor, ref)
                } catch .conflict {
                    actor = try await control.actor(ref)
                }
            case .suspended: return actor
            case .paused where cause == .request: throw .isPaused(ref)
            case .resuming, .suspending, .pausing:
                // Whoever has it in hand brings it on, and the leader adopts what nobody has.
                if cause != .request { throw .operationInProgress }
                actor = try await adopt(actor)
            case .paused: return actor
            case .running(let assignment):
                guard cause.applies(to: assignment) else { return actor }
                let template = try await template(of: actor.value)
                switch try await begin(actor, assignment, template) {
                case .begun(let claim):
                    return try await checkpoint(
                        claim, template, template.onCommit, minimumIdleness: cause.minimumIdleness)
                case .changed(let fresh): actor = fresh
                }
            }
        }
    }

    private func begin(
        _ actor: Stored<Actor>, _ assignment: Assignment, _ template: ActorTemplate
    ) async throws(ControlError) -> BeginOutcome {
        let operation = newOperation(.suspend)
        let snapshot =
            cause.snapshot
            ?? SnapshotURI(location: template.snapshotLocation, actorUID: actor.value.uid, nonce: operation.nonce)
        let worker = assignment.worker
        return try await begin(operation, actor, on: worker) { (binding) throws(StoreError) in
            try await store.beginSuspend(
                ref, actor, worker: worker, binding: binding, snapshot: snapshot, recovery: recovery(worker, template),
                operation: operation, lease: session.lease)
        }
    }

    /// What is to follow: an actor that has to leave a worker goes on elsewhere, if its template says so for the loss of one.
    private func recovery(_ worker: WorkerRef, _ template: ActorTemplate) -> Recovery? {
        guard case .drain = cause, template.onWorkerLoss == .resume else { return nil }
        return Recovery(
            worker: worker, statusBefore: .running, releasedAtMilliseconds: environment.wallClock(), next: .resume)
    }
}
