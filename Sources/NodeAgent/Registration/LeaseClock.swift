internal import Etcd
internal import ServiceKit
internal import Synchronization

/// Whether the node's lease can be relied on: until a margin before it can have expired, counted from when the last
/// successful renewal was sent. Once that has passed, a renewal alone does not make it good again: actors are frozen by then.
package final class LeaseClock: Sendable {
    private enum Phase {
        case good(LeaseHold)
        /// The time has passed; the server may still have the lease.
        case lapsed
        case lost
    }

    private struct State {
        var phase: Phase
        var lapses = 0
        var failedThaws = 0
    }

    private let state: Mutex<State>
    private let listeners = Listeners()

    package init(_ hold: LeaseHold) { state = Mutex(State(phase: .good(hold))) }

    package var isGood: Bool {
        state.withLock { if case .good(let hold) = $0.phase { hold.left > .zero } else { false } }
    }

    /// How long it can be relied on without being renewed; nil when it cannot.
    package var margin: Duration? { state.withLock { if case .good(let hold) = $0.phase { hold.left } else { nil } } }

    private var isLost: Bool { state.withLock { if case .lost = $0.phase { true } else { false } } }

    /// How often the lease has lapsed so far. When it is the same afterwards, and the lease is good, actors were not frozen in
    /// between.
    package var lapses: Int { state.withLock { $0.lapses } }

    /// A renewal has succeeded. False when the time before it had passed: then the lease has lapsed.
    package func renewed(_ hold: LeaseHold) -> Bool {
        state.withLock { state in
            guard case .good(let last) = state.phase else { return false }
            let isInTime = last.left > .zero
            if isInTime { state.phase = .good(hold) } else { Self.lapse(&state) }
            return isInTime
        }
    }

    /// The lease cannot be relied on for now.
    package func lapse() { state.withLock { if case .good = $0.phase { Self.lapse(&$0) } } }

    private static func lapse(_ state: inout State) {
        state.phase = .lapsed
        state.lapses += 1
    }

    /// The lease has been renewed after all, and the actors that still belong here go on.
    package func thawed(_ hold: LeaseHold) {
        state.withLock { state in
            state.failedThaws = 0
            if case .lapsed = state.phase { state.phase = .good(hold) }
        }
        listeners.tell()
    }

    /// The lease has been renewed, and yet the actors could not be let go on. Returns how often that is in a row.
    package func thawFailed() -> Int {
        state.withLock { state in
            state.failedThaws += 1
            return state.failedThaws
        }
    }

    /// The lease will not be good any more.
    package func lose() {
        state.withLock { $0.phase = .lost }
        listeners.tell()
    }

    /// Waits while the lease has lapsed. False when it has been lost, or the task is cancelled.
    package func waitUntilGood() async -> Bool {
        for await _ in listeners.changes {
            if Task.isCancelled { return false }
            if isGood { return true }
            if isLost { return false }
        }
        return false
    }
}
