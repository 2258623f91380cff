internal import GRPC
internal import ServiceKit

/// Decides whether a stream that has broken is to be opened again, and tells people of it.
struct Reconnection {
    private let what: String
    private let method: Method
    private let api: APIClient
    private let complain: @Sendable (String) -> Void
    private var backoff = Backoff(from: .milliseconds(200), to: .seconds(5))
    private var brokenSince: ContinuousClock.Instant?

    /// After which a stream that has said nothing counts as connected: longer than connecting may take.
    private static let connectionTime = Duration.seconds(5)

    /// - Parameters:
    ///   - what: the stream, for people.
    ///   - complain: writes to standard error.
    init(_ what: String, of method: Method, _ api: APIClient, complain: @escaping @Sendable (String) -> Void) {
        self.what = what
        self.method = method
        self.api = api
        self.complain = complain
    }

    /// Something has come through.
    mutating func works() {
        if brokenSince != nil { complain("atectl: \(what) goes on\n") }
        brokenSince = nil
        backoff.reset()
    }

    /// The stream has failed.
    /// - Parameter canGoOn: whether it is known where to take it up again.
    /// - Returns: how long to wait before it is tried again.
    /// - Throws: `CommandError` when there is no stream to be had: at once in the beginning, and later when `api.timeout` has
    ///   passed without one.
    mutating func bear(
        _ failure: RPCError, ofAttemptAt started: ContinuousClock.Instant, canGoOn: Bool
    ) throws(CommandError) -> Duration {
        guard canGoOn, Self.isPassing(failure) else { throw api.explain(failure, method) }
        let now = ContinuousClock.now
        if started.duration(to: now) > Self.connectionTime { brokenSince = nil }
        if let brokenSince {
            if brokenSince.duration(to: now) > api.timeout { throw api.explain(failure, method) }
        } else {
            complain("atectl: \(what) broke off (\(failure.status.message)); trying to take it up again\n")
            brokenSince = now
        }
        return backoff.pause()
    }

    /// Whether the same call may succeed later.
    private static func isPassing(_ failure: RPCError) -> Bool {
        switch failure.code {
        case .unavailable, .deadlineExceeded, .resourceExhausted, .aborted, .cancelled, .internal, .unknown: true
        default: false
        }
    }
}
