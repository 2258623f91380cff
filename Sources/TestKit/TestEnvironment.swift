package import Etcd
package import ServiceKit
internal import Synchronization

/// Collects log lines.
package final class LogRecorder: Sendable {
    private let recorded = Mutex<[Log.Line]>([])

    package init() {}

    package var log: Log { Log(minimum: .debug) { line in self.recorded.withLock { $0.append(line) } } }

    package var lines: [Log.Line] { recorded.withLock { $0 } }

    package func contains(_ level: Log.Level, _ message: String) -> Bool {
        lines.contains { $0.level == level && $0.message.contains(message) }
    }
}

/// Numbers from a seed: the same in every run.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    /// SplitMix64.
    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }
}

extension Environment {
    /// The real clock, random ids, and a log that nobody sees.
    package static func test(log: Log = .none, clock: any Clock<Duration> = ContinuousClock()) -> Environment {
        Environment(
            clock: clock, wallClock: { 1_700_000_000_000 }, chance: Chance(SystemRandomNumberGenerator()),
            log: log)
    }
}

/// Counts up: ids are unique, and every choice is the first.
package struct FirstChoiceGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64 = 0

    package init() {}

    package mutating func next() -> UInt64 {
        state += 1
        return state
    }
}

/// Collects what a client of etcd reports.
package final class EtcdRecorder: Sendable {
    private let events = Mutex<[EtcdEvent]>([])
    private let measurements = Mutex<[EtcdMeasurement]>([])

    package init() {}

    /// Hooks that report here.
    package var hooks: EtcdHooks {
        var hooks = EtcdHooks()
        hooks.log = { event in self.events.withLock { $0.append(event) } }
        hooks.measure = { measurement in self.measurements.withLock { $0.append(measurement) } }
        return hooks
    }

    package var logged: [EtcdEvent] { events.withLock { $0 } }
    package var measured: [EtcdMeasurement] { measurements.withLock { $0 } }

    /// How many streams of this kind were opened.
    package func streams(_ method: String) -> Int {
        measured.count { if case .streamOpened(method, _) = $0 { true } else { false } }
    }

    /// How often the client turned to another member.
    package var moves: Int { measured.count { if case .movedOn = $0 { true } else { false } } }

    /// How many calls were tried again.
    package var retries: Int { measured.count { if case .retry = $0 { true } else { false } } }
}
