internal import Etcd
internal import Metrics
package import ServiceKit
package import SubstrateStore
internal import Synchronization

/// This process among the replicas of the control plane: its session in etcd, the workflows that run under it, and the
/// leadership when it is this one's turn.
///
/// Operations of workflows are put under the session's lease, so they go away with the replica. When the lease is lost,
/// every workflow stops at once: another replica may already be adopting what they were doing.
package final class Replica: Sendable {
    /// How long a replica's operations outlive it. Shorter makes other replicas wait less, longer makes it more patient
    /// with an etcd that does not answer.
    package static let defaultTimeToLive: Duration = .seconds(5)

    private static let label = "replica"
    private let store: Store
    private let environment: Environment
    private let timeToLive: Duration
    private let metrics: ControlPlaneMetrics
    private let current = Mutex<ReplicaSession?>(nil)
    private let standing = Mutex(Standing())

    private struct Standing {
        var isLeading = false
        /// Since when the lease counts that was granted or renewed last.
        var sinceRenewal: Stopwatch?
    }
    /// Names this run of this process in the operations it owns.
    package let id: String

    package init(
        store: Store, environment: Environment, timeToLive: Duration = Replica.defaultTimeToLive,
        metrics: ControlPlaneMetrics = ControlPlaneMetrics()
    ) {
        self.metrics = metrics
        self.store = store
        self.environment = environment
        self.timeToLive = timeToLive
        id = environment.chance.id()
    }

    /// Holds a session and runs workflows in it until the task is cancelled; then stops them and ends the session.
    /// - Parameters:
    ///   - work: what every replica does while it has a session.
    ///   - lead: what only the leader does; cancelled when it leads no longer.
    package func run(
        work: @escaping @Sendable (ReplicaSession) async -> Void = { _ in },
        lead: @escaping @Sendable (ReplicaSession) async -> Void = { _ in }
    ) async {
        var backoff = Backoff(from: .milliseconds(50), to: .seconds(1))
        while !Task.isCancelled {
            let held = environment.clock.stopwatch()
            do {
                // The margin is for workflows to stop in.
                try await store.etcd.withSession(
                    under: store.keys.replicas, value: Array(id.utf8), timeToLive: timeToLive,
                    margin: timeToLive / Self.marginPart,
                    clock: environment.clock, onRenewal: { sent in self.standing.withLock { $0.sinceRenewal = sent } }
                ) { session in await self.hold(session, work, lead) }
            } catch {
                if Task.isCancelled { return }
                if held.elapsed() > timeToLive { backoff.reset() }
                environment.log.error(
                    "this replica has no session in etcd, will try again", ["error": .string("\(error)")])
                try? await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
            }
        }
    }

    private func hold(
        _ session: Session, _ work: @escaping @Sendable (ReplicaSession) async -> Void,
        _ lead: @escaping @Sendable (ReplicaSession) async -> Void
    ) async {
        let mine = ReplicaSession(lease: session.lease.id, replica: id)
        current.withLock { $0 = mine }
        metrics.sessions.add()
        environment.log.info("holding a session", ["lease": .text(session.lease.id), "replica": .string(id)])
        await withDiscardingTaskGroup { group in
            group.addTask { await mine.workflows.run() }
            group.addTask { await work(mine) }
            group.addTask { await self.campaign(session) { await lead(mine) } }
        }
        current.withLock { $0 = nil }
        standing.withLock { $0.sinceRenewal = nil }
    }

    /// Leads when it is this replica's turn. Leadership only keeps replicas from doing the same work twice: what the leader
    /// does is safe when two of them do it.
    ///
    /// All campaigns of a session have the same label, and so the same key: one that has failed, and whose key is there all the
    /// same, has kept the place in the queue for the next one. Under another key it would stand in front of it for ever.
    private func campaign(_ session: Session, _ lead: @escaping @Sendable () async -> Void) async {
        var backoff = Backoff(from: .milliseconds(50), to: .seconds(1))
        while !Task.isCancelled {
            do {
                try await session.withLeadership(
                    of: store.keys.election, value: Array(id.utf8), label: Self.label
                ) { leadership in
                    self.environment.log.info(
                        "leading", ["replica": .string(self.id), "term": .integer(leadership.revision)])
                    self.metrics.elections.add()
                    self.standing.withLock { $0.isLeading = true }
                    defer { self.standing.withLock { $0.isLeading = false } }
                    await lead()
                }
            } catch {
                if Task.isCancelled { return }
                environment.log.warning("cannot lead, will try again", ["error": .string("\(error)")])
                try? await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
            }
        }
    }

    /// Runs a workflow to its end, also when the caller stops waiting.
    /// - Throws: what the workflow throws, and `.unavailable` when there is no session or it is lost.
    func perform<Value: Sendable>(
        _ workflow: @escaping @Sendable (Hand) async throws(ControlError) -> Value
    ) async throws(ControlError) -> Value {
        guard let session = current.withLock({ $0 }) else {
            throw .unavailable("this replica has no session in etcd")
        }
        return try await session.perform(workflow)
    }

    /// Whether it does what only the leader does.
    package var isLeading: Bool { standing.withLock { $0.isLeading } }

    /// How long its session can be relied on if it is not renewed; nil while there is none, or none that was renewed yet.
    package var sessionMargin: Duration? {
        standing.withLock { $0.sinceRenewal }.map { timeToLive - timeToLive / Self.marginPart - $0.elapsed() }
    }

    /// What part of the time to live is left for workflows to stop in.
    private static let marginPart = 5

    /// Whether workflows can begin.
    package var hasSession: Bool { current.withLock { $0 != nil } }
}
