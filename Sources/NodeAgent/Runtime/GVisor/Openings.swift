internal import SubstrateModel
internal import Synchronization

/// How one actor is reached, and what it reaches.
struct Opening: Sendable, Equatable {
    var address: String
    var egress: [EgressRule] = []
}

/// Which workers' actors are to be reached, whatever has become of the firewall meanwhile; and from when on it knows of all
/// connections to them.
final class Openings: Sendable {
    private struct State {
        /// By the number of the worker.
        var openings: [Int: Opening] = [:]
        var blindUntil: ContinuousClock.Instant?
        /// Workers whose actors may have made connections that nobody knows of.
        var blind: Set<Int> = []
    }

    private let state = Mutex(State())

    /// How the worker's actor is to be reached, and what it may reach; nil for not at all.
    func set(_ opening: Opening?, of worker: Int) { state.withLock { $0.openings[worker] = opening } }

    func opening(of worker: Int) -> Opening? { state.withLock { $0.openings[worker] } }

    /// Connections may have been made that are not known. Those to the actors have ended or are known when the time is over;
    /// those that actors have made themselves are never known.
    func areUnknown(for duration: Duration) {
        state.withLock { state in
            state.blindUntil = .now + duration
            for (worker, opening) in state.openings where !opening.egress.isEmpty { state.blind.insert(worker) }
        }
    }

    /// Whether a worker's actor may have made connections that nobody knows of.
    func isBlind(_ worker: Int) -> Bool { state.withLock { $0.blind.contains(worker) } }

    /// Another actor comes, which has made none.
    func begin(_ worker: Int) { state.withLock { _ = $0.blind.remove(worker) } }

    /// For how long there may still be connections that are not known; nil when there are none.
    var blindness: Duration? {
        guard let left = state.withLock({ $0.blindUntil }).map({ $0 - .now }), left > .zero else { return nil }
        return left
    }

    func reset() { state.withLock { $0 = State() } }
}
