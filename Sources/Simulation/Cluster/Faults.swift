/// The kinds of things that go wrong.
package enum Fault: String, CaseIterable, Sendable {
    case requestLost = "request lost"
    case requestLate = "request late"
    case requestRefused = "connection refused"
    case responseLost = "response lost"
    case messageSlow = "message slow"
    case watchBroken = "watch broken"
    case watchEventLost = "watch event lost"
    case presenceNotShown = "presence not shown by a watch"
    case watchStalled = "watch stalled"
    case compaction = "history compacted"
    case leaderChange = "etcd leader changed"
    case leaseExpired = "lease expired"
    case replicaKilled = "replica killed"
    case replicaStopped = "replica stopped"
    case replicaPaused = "replica paused"
    case replicaStarted = "replica started"
    case agentKilled = "agent killed"
    case agentStopped = "agent stopped"
    case agentPaused = "agent paused"
    case agentStarted = "agent started"
    case machineLost = "machine lost"
    case directoryLost = "state directory lost"
    case sandboxDied = "sandbox died"
    case drainOrdered = "drain ordered"
    case sandboxFrozen = "sandbox frozen by the watchdog"
    case sandboxThawed = "sandbox thawed by the watchdog"
    case selfTestFailed = "self-test failed"
    case startFailed = "start failed"
    case startSlow = "start slow"
    case checkpointFailed = "checkpoint failed"
    case callerGone = "caller gone"
}

/// What goes wrong in one run: which of the faults, and how often, is drawn from the seed.
///
/// `@unchecked`: see `Scheduler`.
final class Faults: @unchecked Sendable {
    private let scheduler: Scheduler
    let report: Report
    /// Once in how many cases each of them strikes; absent for never.
    private var rates: [Fault: Int] = [:]
    /// From here on nothing goes wrong any more.
    var isOver = false

    init(_ scheduler: Scheduler, _ report: Report) {
        self.scheduler = scheduler
        self.report = report
        // A run has some of them only, so that what needs a quiet moment between two of them has it in others.
        for fault in Fault.allCases where !scheduler.random.once(in: 3) {
            rates[fault] = Self.rates[fault].map { $0 * (1 + scheduler.random.index(below: 4)) }
        }
    }

    /// Those that are drawn message by message; the others come at times of their own.
    private static let rates: [Fault: Int] = [
        .requestLost: 40, .requestLate: 40, .requestRefused: 40, .responseLost: 30, .messageSlow: 15, .watchBroken: 40,
        .watchEventLost: 60, .presenceNotShown: 20, .watchStalled: 30, .startFailed: 8, .selfTestFailed: 2,
        .startSlow: 10,
        .checkpointFailed: 8, .callerGone: 12,
    ]

    /// Draws whether the fault strikes now.
    func strikes(_ fault: Fault) -> Bool {
        guard !isOver, let rate = rates[fault], scheduler.random.once(in: rate) else { return false }
        report.count(fault)
        return true
    }

    enum Destination { case etcd, node }

    /// How a message and its answer travel.
    struct Route {
        /// The way there; how long it takes to be refused, if it is.
        var request: Duration
        var isRefused = false
        var isLost = false
        /// It arrives after its sender has given it up.
        var isLate = false
        /// The way back; nil when the answer is lost.
        var response: Duration?

        /// When the request arrives, if it does; `limit` is how long the sender waits.
        func arrival(within limit: Duration, _ random: inout SeededRandom) -> Duration? {
            if isLost { return nil }
            return isLate ? min(limit, .seconds(4)) + random.duration(.zero, .seconds(4)) : request
        }
    }

    func route(to destination: Destination) -> Route {
        var route = Route(request: transit(), response: transit())
        if strikes(.requestRefused) {
            route.isRefused = true
        } else if strikes(.requestLost) {
            route.isLost = true
        } else if strikes(.requestLate) {
            route.isLate = true
        } else if strikes(.responseLost) {
            route.response = nil
        }
        return route
    }

    /// How long something takes on the way.
    private func transit() -> Duration {
        if strikes(.messageSlow) { return scheduler.random.duration(.milliseconds(5), .milliseconds(900)) }
        return scheduler.random.duration(.zero, .milliseconds(2))
    }

    /// How long a watch takes to tell what has happened.
    func watchDelay() -> Duration {
        if strikes(.watchStalled) { return scheduler.random.duration(.milliseconds(100), .seconds(3)) }
        return transit()
    }
}
