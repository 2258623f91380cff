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

    private let phase: Mutex<Phase>
    private let listeners = Listeners()

    package init(_ hold: LeaseHold) { phase = Mutex(.good(hold)) }

    package var isGood: Bool {
        phase.withLock { if case .good(let hold) = $0 { hold.left > .zero } else { false } }
    }

    private var isLost: Bool { phase.withLock { if case .lost = $0 { true } else { false } } }

    /// A renewal has succeeded. False when the time before it had passed: then the lease has lapsed.
    package func renewed(_ hold: LeaseHold) -> Bool {
        phase.withLock { phase in
            guard case .good(let last) = phase else { return false }
            let isInTime = last.left > .zero
            phase = isInTime ? .good(hold) : .lapsed
            return isInTime
        }
    }

    /// The lease cannot be relied on for now.
    package func lapse() { phase.withLock { if case .good = $0 { $0 = .lapsed } } }

    /// The lease has been renewed after all, and the actors that still belong here go on.
    package func thawed(_ hold: LeaseHold) {
        phase.withLock { if case .lapsed = $0 { $0 = .good(hold) } }
        listeners.tell()
    }

    /// The lease will not be good any more.
    package func lose() {
        phase.withLock { $0 = .lost }
        listeners.tell()
    }

    /// Waits while the lease has lapsed. False when it has been lost, or the task is cancelled.
    package func waitUntilGood() async -> Bool {
        for await _ in listeners.changes {
            if isGood { return true }
            if isLost { return false }
        }
        return false
    }
}
