internal import Etcd
internal import Metrics
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// How a claim that was in a transitional state ended.
enum Settlement: Sendable {
    /// As was intended: RUNNING after a resume, SUSPENDED or PAUSED with the new snapshot after a suspend or pause.
    case done(Stored<Actor>)
    /// The resume was taken back, or the suspend or pause came to nothing; the failure says why, if the node did.
    case undone(Stored<Actor>, because: NodeFailure?, isSnapshotMissing: Bool)

    var actor: Stored<Actor> {
        switch self {
        case .done(let actor), .undone(let actor, _, _): actor
        }
    }
}

extension Workflow {
    /// Calls the node, and brings a claim in a transitional state to its end by what the node says for certain.
    ///
    /// A first answer without a receipt leaves open what the node has done or will yet do. So the node is asked until it
    /// gives a final answer; asking also fences off whatever is still on its way to it. The limit is for all calls together.
    func settle(_ claim: Claim, calling call: @escaping Question) async throws(ControlError) -> Settlement {
        let limit = control.options.answerLimit
        let waited = environment.clock.stopwatch()
        var answer = try await ask(claim, within: limit, call)
        let reason = answer.failure
        var backoff = Backoff(from: .milliseconds(20), to: .seconds(1))
        while true {
            if let receipt = answer.receipt, receipt.epoch == claim.binding.epoch,
                let event = finalEvent(claim, receipt, reason)
            {
                let actor = try await commit(claim, event)
                switch event {
                case .suspended, .paused: return .done(actor)
                case .runningConfirmed where claim.actor.value.status == .resuming: return .done(actor)
                default: return .undone(actor, because: reason, isSnapshotMissing: receipt.state == .noSnapshot)
                }
            }
            if waited.elapsed() >= limit { try await giveUp(claim) }
            try await pause(backoff.pause())
            answer = try await ask(claim, within: limit - waited.elapsed()) { (nodes, address) throws(NodeFailure) in
                let request = StatusRequest(workerUID: claim.actor.value.state.assignment?.uid ?? "")
                return try await nodes.status(request, claim.fences, at: address)
            }
        }
    }

    /// What a node's word means for an actor in this state; nil when it is not final.
    private func finalEvent(_ claim: Claim, _ receipt: Receipt, _ reason: NodeFailure?) -> ActorEvent? {
        switch (claim.actor.value.state, receipt.state) {
        case (_, .busy): nil
        case (_, .running): receipt.address.map { .runningConfirmed(at: $0) }
        case (.suspending(_, let snapshot), .checkpointed(.external(let confirmed))) where snapshot == confirmed:
            .suspended(snapshot: snapshot)
        case (.pausing(_, let snapshot), .checkpointed(.local(let confirmed))) where snapshot.name == confirmed:
            .paused(snapshot: confirmed)
        case (.suspending, _), (.pausing, _): .abandoned
        default:
            .resumeUndone(
                because: reason.map { ResumeFailure($0, of: claim.worker, atMilliseconds: environment.wallClock()) })
        }
    }

    /// Commits the event, on fresh rows when somebody changed the actor's row meanwhile. The node has spoken, and nobody else
    /// will write it down as long as this replica has its lease.
    private func commit(_ claim: Claim, _ event: ActorEvent) async throws(ControlError) -> Stored<Actor> {
        var claim = claim
        while true {
            do {
                return try await insisting { () throws(StoreError) in try await write(claim, event) }
            } catch .conflict(let rows) {
                guard let actor = rows.actor, actor.value.uid == claim.actor.value.uid else {
                    throw .actorNotFound(ref)
                }
                // It may have been this very step, whose answer got lost.
                if let goal = try? claim.actor.value.transition(event), goal.state == actor.value.state,
                    goal.lastSnapshot == actor.value.lastSnapshot,
                    goal.localSnapshot == actor.value.localSnapshot
                {
                    return actor
                }
                guard rows.operation?.token == claim.token, let binding = rows.binding,
                    binding.epoch == claim.binding.epoch, !binding.value.isRevoked
                else { throw .workerLost(claim.worker) }
                claim.actor = actor
                claim.binding = binding
            } catch {
                throw ControlError(error)
            }
        }
    }

    /// Writes the step of the event, and lets the inventory know before the watch does.
    private func write(_ claim: Claim, _ event: ActorEvent) async throws(StoreError) -> Stored<Actor> {
        let actor: Stored<Actor>
        switch event {
        case .runningConfirmed(let address):
            let confirmed = try await store.confirmRunning(claim, at: address)
            inventory.take(binding: confirmed.binding, of: claim.worker)
            return confirmed.actor
        case .suspended(let snapshot): actor = try await store.finishSuspend(claim, snapshot: snapshot)
        case .paused(let snapshot): actor = try await store.finishPause(claim, snapshot: snapshot)
        case .abandoned: actor = try await store.abandon(claim)
        case .resumeUndone(let failure): actor = try await store.undoResume(claim, because: failure)
        default: throw .illegal(IllegalTransition(state: claim.actor.value.state, event: event))
        }
        inventory.takeUnbound(claim.worker, at: actor.modRevision)
        return actor
    }

    /// Revokes the binding: the node registers the worker anew, and the ordinary release follows.
    private func giveUp(_ claim: Claim) async throws(ControlError) -> Never {
        environment.log.error(
            "a node gives no final answer: revoking the binding",
            ["actor": .text(ref), "worker": .text(claim.worker)])
        var claim = claim
        while true {
            do {
                _ = try await insisting { () throws(StoreError) in try await store.revoke(claim) }
                break
            } catch .conflict(let rows) {
                // Released, or revoked already by an attempt whose answer got lost.
                guard rows.operation?.token == claim.token, let binding = rows.binding,
                    binding.epoch == claim.binding.epoch, !binding.value.isRevoked
                else { break }
                claim.binding = binding
            } catch {
                throw ControlError(error)
            }
        }
        control.metrics.revocations.add()
        throw .noAnswer(claim.worker)
    }

    private func pause(_ duration: Duration) async throws(ControlError) {
        do {
            try await environment.clock.sleep(for: environment.chance.jittered(duration))
        } catch {
            throw .unavailable("this replica has lost its lease in etcd")
        }
    }
}
