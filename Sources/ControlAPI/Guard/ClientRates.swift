internal import Etcd
internal import GRPC
internal import Identity
internal import SubstrateModel
internal import Synchronization

/// How often each client may call. A client is known by what it has proved to be, and otherwise by its address.
///
/// Each has a bucket of tokens that fills at the rate. A bucket is kept as the time at which it will be full again, so one
/// that is full is as good as none, and only clients that have called just now take memory.
package final class ClientRates: Sendable {
    /// A call takes one token; the bucket gets one back in each interval.
    private let interval: Duration
    /// How long an empty bucket takes to fill.
    private let depth: Duration
    private let callsPerSecond: Int
    private let capacity: Int
    private let sinceStart: Stopwatch
    private let state = Mutex(State())

    private struct State {
        var fullAt: [Int: Duration] = [:]
        /// The one bucket of all who find no place for one of their own.
        var othersFullAt: Duration = .zero
        var lastSweep: Duration?
    }

    /// - Parameters:
    ///   - callsPerSecond: of one client in the long run; at least 1.
    ///   - burst: how many calls it may make at once after a pause; at least 1.
    ///   - capacity: for how many clients there are buckets, at about 50 bytes each. When so many have called just now, the
    ///     ones that come in addition share a bucket, so that neither memory nor the rate of all grows without bound.
    ///   - clock: for the time between calls.
    package init(
        callsPerSecond: Int, burst: Int, capacity: Int = 65_536, clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.callsPerSecond = callsPerSecond
        self.capacity = capacity
        interval = .seconds(1) / callsPerSecond
        depth = interval * burst
        sinceStart = clock.stopwatch()
    }

    /// Counts one call of a client.
    /// - Throws: `RESOURCE_EXHAUSTED`, with the header by which gRPC's own clients know when to try again.
    func count(_ identity: Identity?, of call: ServerCall) throws(Status) {
        let name: String
        if let identity, !identity.names.isEmpty { name = identity.description } else { name = call.peerNetwork }
        guard let wait = take(name) else { return }
        var metadata = Metadata()
        metadata.append("grpc-retry-pushback-ms", "\(Int((wait / .milliseconds(1)).rounded(.up)))")
        throw Status(
            code: .resourceExhausted,
            message: "\(name.excerpt) has made more than \(callsPerSecond) calls per second; call less often",
            metadata: metadata)
    }

    /// Takes a token for a call.
    /// - Returns: nil when there was one; otherwise how long until there is.
    package func take(_ client: String) -> Duration? {
        let now = sinceStart.elapsed()
        // A hash is as good as the name and has a size; two clients with the same one share a bucket.
        let key = client.hashValue
        return state.withLock { state in
            if let fullAt = state.fullAt[key] {
                let (next, wait) = spend(fullAt, now)
                state.fullAt[key] = next
                return wait
            }
            if state.fullAt.count >= capacity { sweep(&state, now) }
            guard state.fullAt.count < capacity else {
                let (next, wait) = spend(state.othersFullAt, now)
                state.othersFullAt = next
                return wait
            }
            let (next, wait) = spend(now, now)
            state.fullAt[key] = next
            return wait
        }
    }

    /// For how many clients there is a bucket that is not known to be full.
    package var clients: Int { state.withLock { $0.fullAt.count } }

    private func spend(_ fullAt: Duration, _ now: Duration) -> (fullAt: Duration, wait: Duration?) {
        let next = max(fullAt, now) + interval
        let missing = next - now - depth
        return missing > .zero ? (fullAt, missing) : (next, nil)
    }

    /// Forgets the buckets that are full. At most once a second: a crowd of clients must not make every call look at all.
    private func sweep(_ state: inout State, _ now: Duration) {
        if let last = state.lastSweep, now - last < .seconds(1) { return }
        state.lastSweep = now
        state.fullAt = state.fullAt.filter { $0.value > now }
    }
}
