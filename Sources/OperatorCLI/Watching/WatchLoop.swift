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

    private let source: WatchSource<Update>
    private(set) var objects: WatchedObjects<Update>
    private var revision: Int64 = 0
    private var connection: Reconnection

    init(
        _ api: APIClient, _ source: WatchSource<Update>, _ objects: WatchedObjects<Update>,
        complain: @escaping @Sendable (String) -> Void
    ) {
        self.source = source
        self.objects = objects
        connection = Reconnection("the watch", of: source.method, api, complain: complain)
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
            let pause = try connection.bear(failure, ofAttemptAt: started, canGoOn: revision > 0)
            let left = deadline.map { ContinuousClock.now.duration(to: $0) }
            try await Task.sleep(for: min(pause, left ?? pause))
        }
    }

    /// - Returns: whether the reader has seen enough, rather than the stream having ended.
    private mutating func read(
        _ stream: ResponseStream<Update>, _ receive: ([WatchedObjects<Update>.Change]) throws -> Bool
    ) async throws -> Bool {
        for try await update in stream {
            connection.works()
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
}
