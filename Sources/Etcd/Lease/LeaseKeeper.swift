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
    ///
    /// With `onLapse` a lease that could not be renewed in time is not given up: the server may have been out of reach as a
    /// whole, and a new leader of etcd gives every lease its full time again, so that only the server knows whether it is
    /// gone. The holder stops relying on it, and the keeper goes on asking.
    /// - Parameters:
    ///   - sinceGrant: measures the time since the request for the lease was sent.
    ///   - mayRenew: asked before each attempt. While it says no the lease runs out, as if nothing got through.
    ///   - onLapse: called when the lease can no longer be relied on, with what kept it from being renewed; and again when
    ///     that happens again. No renewal is asked for until it has returned. Nil: the keeper ends instead.
    ///   - onRenewal: called after each renewal with a stopwatch that was started when it was sent. When it returns false,
    ///     the holder could not make use of it, and the next one follows soon.
    /// - Returns: why it ended.
    /// - Throws: `CancellationError` when the task is cancelled; the lease is then left to whoever cancelled.
    public func run(
        sinceGrant: Stopwatch, mayRenew: @Sendable () -> Bool = { true },
        onLapse: (@Sendable (EtcdError?) async -> Void)? = nil,
        onRenewal: @Sendable (Stopwatch) async -> Bool = { _ in true }
    ) async throws(CancellationError) -> Loss {
        let interval = lease.timeToLive / 3
        // Soon again: every failed attempt costs time that the lease does not have.
        let retryInterval = lease.timeToLive / 20
        var sinceSent = sinceGrant
        var lastError: EtcdError?
        var hasLapsed = false
        var pause = interval
        while true {
            if !hasLapsed {
                let left = lease.timeToLive - margin - sinceSent.elapsed()
                if left > .zero { try await sleep(min(pause, left)) }
                if lease.timeToLive - margin <= sinceSent.elapsed() {
                    guard let onLapse else { return .notRenewedInTime(lastError: lastError) }
                    await onLapse(lastError)
                    hasLapsed = true
                    pause = .zero
                }
            }
            if hasLapsed {
                try await sleep(pause)
                // From here on nothing is lost by waiting, and a server that comes back has much to do.
                pause = max(retryInterval, min(pause * 2, interval))
            }
            guard mayRenew() else {
                if !hasLapsed { pause = retryInterval }
                continue
            }
            let attempt = clock.stopwatch()
            let left = lease.timeToLive - margin - sinceSent.elapsed()
            if !hasLapsed, left <= .zero { continue }
            do {
                try await store.keepAlive(lease.id, within: hasLapsed ? lease.timeToLive : left)
                sinceSent = attempt
                lastError = nil
                hasLapsed = false
                pause = await onRenewal(attempt) ? interval : retryInterval
            } catch {
                switch error.code {
                case .leaseNotFound: return .gone
                case .cancelled: throw CancellationError()
                default:
                    lastError = error
                    if !hasLapsed { pause = retryInterval }
                }
            }
        }
    }

    private func sleep(_ duration: Duration) async throws(CancellationError) {
        do { try await clock.sleep(for: duration) } catch { throw CancellationError() }
    }
}
