/// Keeps one lease alive, and says when it can no longer be relied on.
///
/// The server counts the time to live from when it handled a renewal, which is after the renewal was sent. So the holder
/// may count on `sent + time to live` and no more; the keeper ends `margin` before that.
public struct LeaseKeeper: Sendable {
    /// Why a lease can no longer be relied on.
    public enum Loss: Sendable, Equatable, CustomStringConvertible {
        /// The server does not know it: expired or revoked.
        case gone
        /// No renewal got through in time; the server may still have it for the margin, or longer.
        case notRenewedInTime(lastError: EtcdError?)

        /// One line.
        public var description: String {
            switch self {
            case .gone: "the lease has expired or was revoked"
            case .notRenewedInTime(let error):
                "the lease could not be renewed in time: \(error.map { "\($0)" } ?? "no answer")"
            }
        }
    }

    private let store: any EtcdStore
    private let lease: Lease
    private let margin: Duration
    private let clock: any Clock<Duration>

    /// - Parameters:
    ///   - margin: how long before the lease can have expired the keeper gives up; what the holder needs for stopping.
    ///   - clock: must go on while the machine sleeps, as `ContinuousClock` does.
    public init(store: any EtcdStore, lease: Lease, margin: Duration, clock: any Clock<Duration>) {
        self.store = store
        self.lease = lease
        self.margin = margin
        self.clock = clock
    }

    /// Renews the lease every third of its time to live until it is lost.
    /// - Parameters:
    ///   - sinceGrant: measures the time since the request for the lease was sent.
    ///   - onRenewal: called after each renewal with a stopwatch that was started when it was sent.
    /// - Returns: why it ended.
    /// - Throws: `CancellationError` when the task is cancelled; the lease is then left to whoever cancelled.
    public func run(
        sinceGrant: Stopwatch, onRenewal: @Sendable (Stopwatch) -> Void = { _ in }
    ) async throws(CancellationError) -> Loss {
        let interval = lease.timeToLive / 3
        var sinceSent = sinceGrant
        var lastError: EtcdError?
        var pause = interval
        while true {
            let left = lease.timeToLive - margin - sinceSent.elapsed()
            if left <= .zero { return .notRenewedInTime(lastError: lastError) }
            try await sleep(min(pause, left))
            let attempt = clock.stopwatch()
            let leftNow = lease.timeToLive - margin - sinceSent.elapsed()
            if leftNow <= .zero { return .notRenewedInTime(lastError: lastError) }
            do {
                try await store.keepAlive(lease.id, within: leftNow)
                sinceSent = attempt
                lastError = nil
                pause = interval
                onRenewal(attempt)
            } catch {
                switch error.code {
                case .leaseNotFound: return .gone
                case .cancelled: throw CancellationError()
                default:
                    lastError = error
                    // Soon again: every failed attempt costs time that the lease does not have.
                    pause = lease.timeToLive / 20
                }
            }
        }
    }

    private func sleep(_ duration: Duration) async throws(CancellationError) {
        do { try await clock.sleep(for: duration) } catch { throw CancellationError() }
    }
}
