internal import GRPC
internal import Synchronization

/// Renews all leases of a client over one stream, opened when a lease has to be renewed and closed when none has been for a
/// while.
final class KeepAliveStream: Sendable {
    private let core: EtcdCore
    private let current = Mutex<KeepAliveSession?>(nil)

    init(core: EtcdCore) { self.core = core }

    /// Closes the stream; renewals under way fail.
    func close() { current.withLock { $0.take() }?.close() }

    /// Renews a lease once.
    /// - Returns: its time to live in seconds, 0 or less when it is gone.
    /// - Throws: `EtcdError` when no answer comes within the limit, or within one attempt's time.
    func renew(_ lease: LeaseID, within limit: Duration) async throws(EtcdError) -> Int64 {
        let patience = min(limit, core.options.attemptTimeout)
        let renewal = Renewal(lease)
        let alarm = Task { [core] in
            try await Task.sleep(for: patience)
            let error = EtcdError(
                .deadlineExceeded, renewal.operation, core.endpoints.current.endpoint, "no answer within \(patience)")
            // A member is not to blame for a caller in a hurry.
            if renewal.finish(.failure(error)), patience == core.options.attemptTimeout { renewal.session?.fail(error) }
        }
        defer { alarm.cancel() }
        let result = await withTaskCancellationHandler {
            await renewal.result { session().add(renewal) }
        } onCancel: {
            renewal.finish(
                .failure(
                    EtcdError(
                        .cancelled, renewal.operation, core.endpoints.current.endpoint, "the task was cancelled")))
        }
        switch result {
        case .success(let timeToLive): return timeToLive
        case .failure(let error): throw EtcdError(error.code, renewal.operation, error.endpoint, error.text)
        }
    }

    private func session() -> KeepAliveSession {
        current.withLock { current in
            // Calls notice sooner than short renewals when a member has gone silent.
            if let session = current, !session.isClosed, !session.isLeftBehind { return session }
            let session = KeepAliveSession(core)
            current = session
            return session
        }
    }
}

/// One request for a renewal and what came of it.
final class Renewal: Sendable {
    let lease: LeaseID
    private let state = Mutex(State())

    private struct State {
        var result: Result<Int64, EtcdError>?
        var waiter: UnsafeContinuation<Result<Int64, EtcdError>, Never>?
        var session: KeepAliveSession?
    }

    init(_ lease: LeaseID) { self.lease = lease }

    var operation: String { "renew lease \(lease)" }

    /// The stream that it went to.
    var session: KeepAliveSession? { state.withLock { $0.session } }

    func went(to session: KeepAliveSession) { state.withLock { $0.session = session } }

    /// Starts it and waits for what comes of it.
    func result(_ start: () -> Void) async -> Result<Int64, EtcdError> {
        start()
        return await withUnsafeContinuation { continuation in
            let result = state.withLock { state in
                if state.result == nil { state.waiter = continuation }
                return state.result
            }
            if let result { continuation.resume(returning: result) }
        }
    }

    /// Ends it, unless it has ended.
    @discardableResult
    func finish(_ result: Result<Int64, EtcdError>) -> Bool {
        let (isFirst, waiter) = state.withLock { state in
            let isFirst = state.result == nil
            state.result = state.result ?? result
            return (isFirst, state.waiter.take())
        }
        waiter?.resume(returning: result)
        return isFirst
    }
}
