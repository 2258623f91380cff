internal import Etcd
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// Writes a snapshot of an actor onto the disk of its node and frees its worker.
///
/// 1. begin: PAUSING, with the name of the snapshot to be written and the node that is to have it.
/// 2. call the node: Checkpoint.
/// 3. settle: PAUSED at the new snapshot on the node's receipt for it; otherwise back to running, or abandoned.
struct PauseWorkflow: Workflow {
    let control: ControlPlane
    let hand: Hand
    let ref: ActorRef

    func run(from actor: Stored<Actor>) async throws(ControlError) -> Stored<Actor> {
        try await measured(.pause) { () throws(ControlError) in try await carryOut(from: actor) }
    }

    private func carryOut(from actor: Stored<Actor>) async throws(ControlError) -> Stored<Actor> {
        var actor = actor
        while true {
            switch actor.value.state {
            case .paused: return actor
            case .suspended: throw .isSuspended(ref)
            case .resuming, .suspending, .pausing: actor = try await adopt(actor)
            case .running(let assignment):
                let template = try await template(of: actor.value)
                switch try await begin(actor, assignment.worker) {
                case .begun(let claim): return try await checkpoint(claim, template, template.onPause)
                case .changed(let fresh): actor = fresh
                }
            }
        }
    }

    /// Makes the actor PAUSING.
    func begin(_ actor: Stored<Actor>, _ worker: WorkerRef) async throws(ControlError) -> BeginOutcome {
        let operation = newOperation(.pause)
        guard let name = LocalSnapshotName(actorUID: actor.value.uid, nonce: operation.nonce) else {
            let reason = "the uid \(actor.value.uid.excerpt) cannot be part of a snapshot's name"
            throw .store(.unreadable(key: "\(store.keys.actor(ref))", reason: reason))
        }
        return try await begin(operation, actor, on: worker) { (binding) throws(StoreError) in
            // The presence that was bound says which node it is. Without it the worker is lost, which the release ends.
            guard let presence = try await presence(of: worker, binding.value.incarnation) else {
                throw .conflict(try await store.rows(ref, on: worker))
            }
            let snapshot = LocalSnapshot(name: name, node: presence.node, directoryID: presence.directoryID)
            return try await store.beginPause(
                ref, actor, worker: worker, binding: binding, snapshot: snapshot, operation: operation,
                lease: session.lease)
        }
    }

    /// The presence of this incarnation, as the watch has shown it or else as it is stored.
    private func presence(of worker: WorkerRef, _ incarnation: Incarnation) async throws(StoreError) -> Presence? {
        if let known = inventory.row(worker)?.presence, known.incarnation == incarnation { return known.value }
        guard let stored = try await store.presence(of: worker), stored.incarnation == incarnation else { return nil }
        return stored.value
    }
}
