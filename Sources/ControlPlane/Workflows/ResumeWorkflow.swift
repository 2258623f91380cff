internal import Etcd
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// Puts an actor on a worker.
///
/// 1. claim: a free worker, in one transaction; when it turns out to be taken or gone, the next one. For an actor with a
///    local snapshot it has to be of the node that has it.
/// 2. call the node: Restore from the last snapshot, without one from the template's golden snapshot, or else Run from the
///    template.
/// 3. settle: RUNNING on the node's word, or undone on its receipt. When the node does not have the local snapshot, from 1
///    on without it.
struct ResumeWorkflow: Workflow {
    let control: ControlPlane
    let hand: Hand
    let ref: ActorRef
    /// Whether to start without the template's golden snapshot.
    var boot = false
    /// A worker that its caller has reserved, to begin with if it would do.
    var offered: ReservedWorker?
    /// Whether it is resumed only because its template wants that: not any more once somebody has suspended it.
    var onlyIfDue = false

    func run(from actor: Stored<Actor>) async throws(ControlError) -> Stored<Actor> {
        try await measured(.resume) { () throws(ControlError) in try await carryOut(from: actor) }
    }

    private func carryOut(from actor: Stored<Actor>) async throws(ControlError) -> Stored<Actor> {
        var actor = actor
        var missing: LocalSnapshot?
        while true {
            switch actor.value.state {
            case .running: return actor
            case .resuming, .suspending, .pausing: actor = try await adopt(actor)
            case .suspended, .paused:
                if actor.value.isHeld { throw .isHeld(ref) }
                if onlyIfDue, !actor.value.isResumeDue { return actor }
                let template = try await template(of: actor.value)
                let source = try await source(of: actor.value, missing: missing)
                switch try await claim(actor, template, source) {
                case .changed(let fresh): actor = fresh
                case .claimed(let claim):
                    if let fallback = source.fallback { note(fallback, of: actor.value) }
                    switch try await start(claim, template, source) {
                    case .done(let running): return running
                    case .undone(let undone, _, isSnapshotMissing: true) where source.local != nil:
                        missing = actor.value.localSnapshot
                        actor = undone
                    case .undone(_, let failure?, _): throw .node(failure)
                    case .undone: throw .workerLost(claim.worker)
                    }
                }
            }
        }
    }

    private enum ClaimOutcome {
        case claimed(Claim)
        /// Somebody changed the actor first; this is what it is now.
        case changed(Stored<Actor>)
    }

    private func claim(
        _ actor: Stored<Actor>, _ template: ActorTemplate, _ source: ResumeSource
    ) async throws(ControlError) -> ClaimOutcome {
        guard inventory.isListed else { throw .unavailable("this replica has not listed the workers yet") }
        try control.checkQuotaOfRunningActors(in: ref.atespace)
        let pools = try await pools(for: actor.value, template)
        let operation = newOperation(.resume)
        // Workers that turned out not to be free stay reserved until this is over, so that none is tried twice.
        var tried: [WorkerRef] = []
        defer { for worker in tried { inventory.unreserve(worker) } }
        var offered = usableOffer(pools, template, actor.value, source)
        while true {
            let worker: ReservedWorker
            if let first = offered.take() {
                worker = first
            } else {
                worker = try inventory.findFreeWorker(
                    pools: pools, template: template, actor: actor.value, nodes: source.nodes,
                    avoiding: avoidedWorker(of: actor.value), environment.chance)
                tried.append(worker.ref)
            }
            // A node's name is unique only in its pool; the directory is the one that has the snapshot.
            if let local = source.local, worker.presence.value.directoryID != local.directoryID { continue }
            do {
                let claim = try await resolving(operation, on: worker.ref) { () throws(StoreError) in
                    try await store.claim(
                        ref, actor, worker: worker.ref, presence: worker.presence, fallback: source.fallback,
                        operation: operation, lease: session.lease)
                }
                inventory.take(binding: claim.binding, of: claim.worker)
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

    /// The offered worker, if it would do for what the actor is to start from now.
    private func usableOffer(
        _ pools: [WorkerPool], _ template: ActorTemplate, _ actor: Actor, _ source: ResumeSource
    ) -> ReservedWorker? {
        guard let offered, eligiblePools(pools, template: template, actor: actor).contains(offered.ref.pool),
            source.nodes?.contains(offered.presence.value.node) != false
        else { return nil }
        return offered
    }

    /// The worker that could not start the actor a moment ago.
    private func avoidedWorker(of actor: Actor) -> WorkerRef? {
        guard let failure = actor.lastFailure else { return nil }
        let age = Duration.milliseconds(environment.wallClock() - failure.atMilliseconds)
        return age < control.options.failedWorkerAvoidance ? failure.worker : nil
    }

    /// The pools as they have been seen; where none of those will do, as the store has them: the right one may just have been
    /// declared.
    private func pools(for actor: Actor, _ template: ActorTemplate) async throws(ControlError) -> [WorkerPool] {
        let known = control.catalog.pools
        if !eligiblePools(known, template: template, actor: actor).isEmpty { return known }
        do { return try await store.listPools() } catch { throw ControlError(error) }
    }

    private func start(
        _ claim: Claim, _ template: ActorTemplate, _ source: ResumeSource
    ) async throws(ControlError) -> Settlement {
        let workerUID = claim.actor.value.state.assignment?.uid ?? ""
        let workload = workload(claim.actor.value, template)
        let snapshot: Snapshot?
        let content: SnapshotContent
        switch source {
        case .local(let local, _): (snapshot, content) = (.local(local.name), template.onPause)
        case .anywhere:
            let golden = boot ? nil : template.status.goldenSnapshot
            (snapshot, content) = ((claim.actor.value.lastSnapshot ?? golden).map { .external($0) }, template.onCommit)
        }
        return try await settle(claim) { (nodes, address) throws(NodeFailure) in
            if let snapshot {
                let request = RestoreRequest(
                    workerUID: workerUID, workload: workload, snapshot: snapshot, content: content)
                return try await nodes.restore(request, claim.fences, at: address)
            }
            let request = RunRequest(workerUID: workerUID, workload: workload)
            return try await nodes.run(request, claim.fences, at: address)
        }
    }
}
