internal import Synchronization

/// Which workers' actors are to be reached, whatever has become of the firewall meanwhile; and from when on it knows of all
/// connections to them.
final class Openings: Sendable {
    private struct State {
        /// By the number of the worker.
        var addresses: [Int: String] = [:]
        var blindUntil: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// The address at which the worker's actor is to be reached; nil for none.
    func set(_ address: String?, of worker: Int) { state.withLock { $0.addresses[worker] = address } }

    func address(of worker: Int) -> String? { state.withLock { $0.addresses[worker] } }

    /// Connections may have been made that are not known; they have ended or are known when the time is over.
    func areUnknown(for duration: Duration) { state.withLock { $0.blindUntil = .now + duration } }

    /// For how long there may still be connections that are not known; nil when there are none.
    var blindness: Duration? {
        guard let left = state.withLock({ $0.blindUntil }).map({ $0 - .now }), left > .zero else { return nil }
        return left
    }

    func reset() { state.withLock { $0 = State() } }
}
