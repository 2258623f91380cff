internal import Etcd
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// Suspends actors that have served nothing for as long as their template says: what the leader does.
///
/// The leader keeps nothing, so a new one knows as much as the old one did: it asks the nodes how long their actors have been
/// idle, and suspends on the condition that the node still says so when it has stopped the actor. A request that comes in
/// between makes the node refuse, and the actor runs on.
struct IdleSuspension: Sendable {
    let control: ControlPlane
    let session: ReplicaSession
    private let underWay = UnderWay()

    init(control: ControlPlane, session: ReplicaSession) {
        self.control = control
        self.session = session
    }

    /// Runs until the task is cancelled.
    func run() async {
        while true {
            do { try await control.environment.clock.sleep(for: control.options.idleCheckInterval) } catch { return }
            await checkOnce()
        }
    }

    /// Each asks one node.
    private static let nodesAtATime = 16
    /// Each writes a snapshot; the rest has been idle for long, and can wait for the next time.
    private static let suspends = 64

    /// An actor that runs and is to be suspended once it has been idle for that long.
    private struct Candidate: Sendable {
        var worker: WorkerRef
        var presence: Stored<Presence>
        var binding: Stored<Binding>
        var timeout: Duration
    }

    private func checkOnce() async {
        guard control.catalog.hasIdleTimeouts else { return }
        underWay.forgetAll(but: Set(control.inventory.readyWorkers.map(\.ref)))
        var byAgent: [String: [Candidate]] = [:]
        for (worker, presence, binding) in control.inventory.readyWorkers where !presence.value.isDraining {
            guard let timeout = control.catalog.idleTimeout(of: binding.value.template) else { continue }
            byAgent[presence.value.agentAddress, default: []].append(
                Candidate(worker: worker, presence: presence, binding: binding, timeout: timeout))
        }
        await forEach(byAgent.sorted { $0.key < $1.key }, atATime: Self.nodesAtATime) { agent, candidates in
            await check(candidates, of: agent)
        }
    }

    private func check(_ candidates: [Candidate], of agent: String) async {
        let request = ActivityRequest(asked: candidates.map(\.presence.value.uid))
        let answer: ActivityResponse
        do throws(NodeFailure) {
            answer = try await control.nodes.activity(request, at: agent)
        } catch {
            control.environment.log.debug(
                "cannot ask a node how long its actors have been idle",
                ["agent": .string(agent), "reason": .text(error)])
            return
        }
        let idleness = Dictionary(answer.workers.map { ($0.workerUID, $0) }) { first, _ in first }
        for candidate in candidates {
            guard let known = idleness[candidate.presence.value.uid], known.epoch == candidate.binding.epoch,
                known.idleness >= candidate.timeout,
                underWay.begin(candidate.worker, candidate.binding.epoch, atMost: Self.suspends)
            else { continue }
            session.submit { hand in
                let hasFailed = await !suspend(candidate, hand)
                underWay.end(candidate.worker, failed: hasFailed ? control.environment.clock.stopwatch() : nil)
            }
        }
    }

    /// Returns false when it has failed.
    private func suspend(_ candidate: Candidate, _ hand: Hand) async -> Bool {
        let log = control.environment.log
        let ref = candidate.binding.value.actor
        do {
            let actor = try await control.actor(ref)
            guard actor.value.uid == candidate.binding.value.actorUID else { return true }
            let workflow = SuspendWorkflow(
                control: control, hand: hand, ref: ref,
                cause: .idleness(presence: candidate.presence.value.uid, candidate.timeout))
            let after = try await workflow.run(from: actor)
            if after.value.status == .suspended {
                log.info("suspended an idle actor", ["actor": .text(ref), "worker": .text(candidate.worker)])
            }
        } catch .operationInProgress {
        } catch .node(let failure) where failure.isRefusal {
            log.debug(
                "an actor that was idle has been asked for and runs on",
                ["actor": .text(ref), "reason": .text(failure)])
        } catch {
            log.warning(
                "could not suspend an idle actor, will try again",
                ["actor": .text(ref), "worker": .text(candidate.worker), "reason": .string("\(error)")])
            return false
        }
        return true
    }

    /// The workers whose actors are being suspended, and those where that has failed: a snapshot that cannot be written costs
    /// the actor a standstill each time, so it is tried less and less often.
    private final class UnderWay: Sendable {
        private struct State {
            var workers: [WorkerRef: Epoch] = [:]
            /// One for each worker at most.
            var failures: [WorkerRef: Failure] = [:]
        }

        private struct Failure {
            var epoch: Epoch
            var since: Stopwatch
            var backoff = Backoff(from: .seconds(10), to: .seconds(300))
            var pause: Duration = .zero
        }

        private let state = Mutex(State())

        func begin(_ worker: WorkerRef, _ epoch: Epoch, atMost limit: Int) -> Bool {
            state.withLock { state in
                if let failure = state.failures[worker] {
                    if failure.epoch != epoch {
                        state.failures[worker] = nil
                    } else if failure.since.elapsed() < failure.pause {
                        return false
                    }
                }
                guard state.workers.count < limit, state.workers[worker] == nil else { return false }
                state.workers[worker] = epoch
                return true
            }
        }

        func forgetAll(but known: Set<WorkerRef>) {
            state.withLock { state in state.failures = state.failures.filter { known.contains($0.key) } }
        }

        /// - Parameter failed: since when it has failed; nil when it has not.
        func end(_ worker: WorkerRef, failed: Stopwatch?) {
            state.withLock { state in
                guard let epoch = state.workers.removeValue(forKey: worker) else { return }
                guard let failed else {
                    state.failures[worker] = nil
                    return
                }
                var failure = state.failures[worker] ?? Failure(epoch: epoch, since: failed)
                failure.since = failed
                failure.pause = failure.backoff.pause()
                state.failures[worker] = failure
            }
        }
    }
}
