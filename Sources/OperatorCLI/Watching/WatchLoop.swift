internal import GRPC
internal import ServiceKit
internal import SubstrateAPI

/// Reads a watch stream, and takes it up again after the last revision whenever it breaks.
struct WatchLoop<Update: WatchUpdate> {
    enum End {
        /// The reader has seen enough.
        case seen
        case timeIsUp
    }

    private let api: APIClient
    private let source: WatchSource<Update>
    /// Tells people what has happened to the connection.
    private let complain: (String) -> Void
    private(set) var objects: WatchedObjects<Update>
    private var revision: Int64 = 0
    private var backoff = Backoff(from: .milliseconds(200), to: .seconds(5))
    private var brokenSince: ContinuousClock.Instant?

    /// After which a stream that has said nothing counts as connected: longer than connecting may take.
    private static var connectionTime: Duration { .seconds(5) }

    init(
        _ api: APIClient, _ source: WatchSource<Update>, _ objects: WatchedObjects<Update>,
        complain: @escaping (String) -> Void
    ) {
        self.api = api
        self.source = source
        self.objects = objects
        self.complain = complain
    }

    /// Hands the changes on until `receive` returns false or the deadline passes. The first changes are the current state.
    /// - Parameter deadline: nil for none.
    /// - Throws: `CommandError` when there is no stream to be had: at once in the beginning, and later when `api.timeout` has
    ///   passed without one.
    mutating func run(
        until deadline: ContinuousClock.Instant? = nil, _ receive: ([WatchedObjects<Update>.Change]) throws -> Bool
    ) async throws -> End {
        while true {
            let started = ContinuousClock.now
            let failure: RPCError
            do {
                let stream = try await source.open(revision, deadline.map { started.duration(to: $0) })
                if try await read(stream, receive) { return .seen }
                failure = .failed(Status(code: .unavailable, message: "the server has ended it"))
            } catch let error as RPCError {
                failure = error
            }
            objects.breakOff()
            if let deadline, isOver(deadline, failure) { return .timeIsUp }
            try bear(failure, ofAttemptAt: started)
            let left = deadline.map { ContinuousClock.now.duration(to: $0) }
            let pause = backoff.pause()
            try await Task.sleep(for: min(pause, left ?? pause))
        }
    }

    /// - Returns: whether the reader has seen enough, rather than the stream having ended.
    private mutating func read(
        _ stream: ResponseStream<Update>, _ receive: ([WatchedObjects<Update>.Change]) throws -> Bool
    ) async throws -> Bool {
        for try await update in stream {
            if brokenSince != nil { complain("atectl: the watch goes on\n") }
            brokenSince = nil
            backoff.reset()
            let changes = objects.take(update)
            if update.revision > 0 { revision = update.revision }
            if let changes, try !receive(changes) { return true }
        }
        return false
    }

    /// The call has the same deadline, by a clock with a coarser grain.
    private func isOver(_ deadline: ContinuousClock.Instant, _ failure: RPCError) -> Bool {
        let left = ContinuousClock.now.duration(to: deadline)
        return left <= .zero || (failure.code == .deadlineExceeded && left < .milliseconds(100))
    }

    /// Decides whether to try again.
    private mutating func bear(_ failure: RPCError, ofAttemptAt started: ContinuousClock.Instant) throws {
        guard revision > 0, isPassing(failure) else { throw api.explain(failure, source.method) }
        let now = ContinuousClock.now
        if started.duration(to: now) > Self.connectionTime { brokenSince = nil }
        guard let brokenSince else {
            complain("atectl: the watch broke off (\(failure.status.message)); trying to take it up again\n")
            self.brokenSince = now
            return
        }
        if brokenSince.duration(to: now) > api.timeout { throw api.explain(failure, source.method) }
    }

    /// Whether the same call may succeed later.
    private func isPassing(_ failure: RPCError) -> Bool {
        switch failure.code {
        case .unavailable, .deadlineExceeded, .resourceExhausted, .aborted, .cancelled, .internal, .unknown: true
        default: false
        }
    }
}
