internal import Etcd
internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// Suspends the actors of draining workers while there is time: what the leader does.
///
/// As with lost workers, events only say: look again. Whose actor is to go is computed from what is live and what is bound,
/// so the next leader goes on where this one has stopped. An actor that is being started there is left alone until it
/// runs; one that another workflow has in hand is looked at again when that is over.
struct Vacating: Sendable {
    let control: ControlPlane
    let session: ReplicaSession
    private let progress = Progress()

    init(control: ControlPlane, session: ReplicaSession) {
        self.control = control
        self.session = session
    }

    /// Runs until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { for await _ in control.inventory.listeners.changes { vacate() } }
            group.addTask { await sweep() }
        }
    }

    /// Looks again at those whose actors could not be suspended.
    private func sweep() async {
        while true {
            do { try await control.environment.clock.sleep(for: control.options.operationSweepInterval) } catch {
                return
            }
            progress.forgetFailures()
            vacate()
        }
    }

    private func vacate() {
        for worker in progress.next(of: control.inventory.workersToVacate) {
            session.submit { hand in
                await VacateWorkflow(control: control, hand: hand, worker: worker).run()
                progress.ended(worker.ref)
                vacate()
            }
        }
    }

    /// A worker with the claim that is to be ended.
    struct Vacated: Sendable {
        var ref: WorkerRef
        var presence: Stored<Presence>
        var binding: Stored<Binding>
    }

    /// What is under way.
    private final class Progress: Sendable {
        /// Each writes a snapshot: as many at a time as one node does well, and so many in all that no node that hangs keeps
        /// the others from it.
        private static let suspendsOfAgent = 16
        private static let suspends = 512

        private struct State {
            /// With the agent that each is asked of.
            var underWay: [WorkerRef: String] = [:]
            /// The claims that have been tried in vain: not again before the next sweep.
            var tried: [WorkerRef: Epoch] = [:]
        }

        private let state = Mutex(State())

        /// Whose actors are to be suspended now; they count as under way from here on.
        func next(of candidates: [(ref: WorkerRef, row: WorkerRow)]) -> [Vacated] {
            if candidates.isEmpty { return [] }
            return state.withLock { state in
                var next: [Vacated] = []
                var busy = state.underWay.values.reduce(into: [:]) { $0[$1, default: 0] += 1 }
                for (ref, row) in candidates where state.underWay.count < Self.suspends {
                    guard let presence = row.presence, let binding = row.binding, state.underWay[ref] == nil,
                        state.tried[ref] != binding.epoch
                    else { continue }
                    let agent = presence.value.agentAddress
                    guard busy[agent, default: 0] < Self.suspendsOfAgent else { continue }
                    busy[agent, default: 0] += 1
                    state.underWay[ref] = agent
                    state.tried[ref] = binding.epoch
                    next.append(Vacated(ref: ref, presence: presence, binding: binding))
                }
                return next
            }
        }

        func ended(_ ref: WorkerRef) { state.withLock { _ = $0.underWay.removeValue(forKey: ref) } }

        func forgetFailures() { state.withLock { $0.tried = [:] } }
    }
}

/// Suspends the actor of a draining worker, if it is there still.
struct VacateWorkflow: Workflow {
    let control: ControlPlane
    let hand: Hand
    let worker: Vacating.Vacated

    var ref: ActorRef { worker.binding.value.actor }

    func run() async {
        do {
            let suspend = SuspendWorkflow(
                control: control, hand: hand, ref: ref, cause: .drain(presence: worker.presence.value.uid))
            let after = try await control.waitingForOthers(ref, true) { () throws(ControlError) in
                let actor = try await control.actor(ref)
                return actor.value.uid == worker.binding.value.actorUID ? try await suspend.run(from: actor) : actor
            }
            if after.value.uid == worker.binding.value.actorUID, after.value.status == .suspended {
                environment.log.info(
                    "the actor of a draining worker is suspended",
                    ["actor": .text(ref), "worker": .text(worker.ref)])
            }
        } catch {
            environment.log.warning(
                "could not suspend the actor of a draining worker, which the next sweep tries again if need be",
                ["actor": .text(ref), "worker": .text(worker.ref), "reason": .string("\(error)")])
        }
    }
}
