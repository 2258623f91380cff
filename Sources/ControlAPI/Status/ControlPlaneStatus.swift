package import ControlPlane
internal import Etcd
package import Metrics
internal import ServiceKit
package import StatusPage
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// What ateapi's status page says.
///
/// All of it is in memory anyway, but for two things where another replica leads: its name, and the number of actors. That is
/// counted by etcd, at most once in `totalAge` and only while somebody looks, without a value being read.
package final class ControlPlaneStatus: Sendable {
    let control: ControlPlane
    let etcd: EtcdHealth
    private let cache = Mutex(Cache())

    private struct Cache {
        var workers: (rows: [(ref: WorkerRef, row: WorkerRow)], counts: WorkerCounts, age: Stopwatch)?
        var total: (count: Int, age: Stopwatch)?
        var leader: (id: String?, age: Stopwatch)?
    }

    /// How old the sorted list of workers gets that pages share. Sorting ten thousand takes some ten milliseconds.
    private static let workersAge: Duration = .milliseconds(400)
    /// How old the name of the leader gets, which is one key in etcd.
    private static let leaderAge: Duration = .seconds(2)
    /// How old the number of actors gets. Etcd walks through all their keys to count them.
    private static let totalAge: Duration = .seconds(30)

    package init(_ control: ControlPlane, etcd: EtcdHealth) {
        self.control = control
        self.etcd = etcd
    }

    package func source(_ metrics: MetricRegistry) -> StatusSource {
        StatusSource(
            metrics: metrics, environment: control.environment, hindrances: { [self] in hindrances },
            changes: { [self] in changes }, report: { [self] in await report($0) })
    }

    /// Why this replica cannot serve.
    private var hindrances: [String] {
        var reasons: [String] = []
        if !control.inventory.isListed { reasons.append("the workers have not been listed yet") }
        if !control.replica.hasSession { reasons.append("there is no session in etcd") }
        return reasons
    }

    private var changes: AsyncStream<Void> {
        let (workers, etcd) = (control.inventory.listeners, etcd.listeners)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let task = Task {
            await withDiscardingTaskGroup { group in
                for listeners in [workers, etcd] {
                    group.addTask { for await _ in listeners.changes { continuation.yield() } }
                }
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    private func report(_ query: StatusQuery) async -> StatusReport {
        let workers = sortedWorkers
        return StatusReport(
            program: "ateapi", name: "replica \(control.replica.id.prefix(8))", facts: facts(leader: await leader),
            counts: [
                StatusReport.Counts(
                    "Workers", workers.counts.all.map { ($0.state.rawValue, $0.count, $0.state.tone) }),
                await actorCounts(workers.counts),
            ],
            lists: [releases(query), operations(query), list(workers.rows, query), members(query)])
    }

    /// The lost ones first, then by name.
    private var sortedWorkers: (rows: [(ref: WorkerRef, row: WorkerRow)], counts: WorkerCounts) {
        cache.withLock { cache in
            if let known = cache.workers, known.age.elapsed() < Self.workersAge { return (known.rows, known.counts) }
            let rows = control.inventory.rows
            let counts = WorkerCounts(rows)
            let sorted = rows.map { (ref: $0.key, row: $0.value) }.sorted { left, right in
                left.row.isLost == right.row.isLost ? left.ref < right.ref : left.row.isLost
            }
            cache.workers = (sorted, counts, control.environment.clock.stopwatch())
            return (sorted, counts)
        }
    }

    private func actorCounts(_ workers: WorkerCounts) async -> StatusReport.Counts {
        if let census = control.lifecycle.census {
            return StatusReport.Counts(
                "Actors", note: "as the leader's watch shows them",
                [ActorStatus.running, .resuming, .suspending, .pausing, .paused, .suspended].map {
                    ($0.label, census.counts[$0] ?? 0, $0.tone)
                })
        }
        let held = control.inventory.rows.values.reduce(into: [Binding.Phase: Int]()) { counts, row in
            if let binding = row.binding { counts[binding.value.phase, default: 0] += 1 }
        }
        var parts: [(name: String, count: Int, tone: StatusReport.Tone)] = [
            ("on a worker", (held[.ready] ?? 0) + (held[.revoked] ?? 0), .good),
            ("being started", held[.claimed] ?? 0, .warning),
        ]
        let total = await total
        if let total { parts.append(("at rest", max(0, total - held.values.reduce(0, +)), .plain)) }
        let seconds = Int(Self.totalAge / .seconds(1))
        let note =
            total == nil
            ? "etcd does not say how many there are"
            : "another replica leads, whose page knows more; etcd was asked for the number within \(seconds) s"
        return StatusReport.Counts("Actors", note: note, parts)
    }

    /// The replica that leads; nil when none does, or when etcd does not say.
    private var leader: String? {
        get async {
            if control.replica.isLeading { return control.replica.id }
            if let known = cache.withLock({ $0.leader }), known.age.elapsed() < Self.leaderAge { return known.id }
            let age = control.environment.clock.stopwatch()
            let leader = try? await control.store.leader()
            cache.withLock { $0.leader = (leader, age) }
            return leader
        }
    }

    private var total: Int? {
        get async {
            if let known = cache.withLock({ $0.total }), known.age.elapsed() < Self.totalAge { return known.count }
            let age = control.environment.clock.stopwatch()
            guard let count = try? await control.store.countActors() else { return nil }
            cache.withLock { $0.total = (count, age) }
            return count
        }
    }
}

extension WorkerState {
    var tone: StatusReport.Tone {
        switch self {
        case .free: .plain
        case .running: .good
        case .claimed, .draining: .warning
        case .revoked, .lost: .bad
        }
    }
}

extension ActorStatus {
    fileprivate var tone: StatusReport.Tone {
        switch self {
        case .running: .good
        case .resuming, .suspending, .pausing: .warning
        case .suspended, .paused: .plain
        }
    }
}
