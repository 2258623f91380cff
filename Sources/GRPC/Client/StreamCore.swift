internal import CGRPC
internal import Synchronization

/// The running stream. It lives until its status has arrived, which every stream reaches: by its server, by being
/// cancelled, or by the loss of its connection.
final class StreamCore: Sendable {
    let call: CallHandle
    private let ending = Mutex(Ending())

    private struct Ending {
        var status: Status?
        var waiters: [UnsafeContinuation<Status, Never>] = []
    }

    init(call: CallHandle, metadata headers: PreparedMetadata) throws(RPCError) {
        self.call = call
        // Each batch has memory of its own, kept by its completion.
        let statusInbox = Inbox.allocate()
        let statusCompletion = ClosureCompletion { [self] _ in
            end(with: statusInbox.status)
            statusInbox.free()
        }
        let statusError = Operations.batch { batch in
            batch.receiveStatus(into: statusInbox)
            return statusCompletion.start(batch.list, on: call.pointer)
        }
        guard statusError == GRPC_CALL_OK else {
            statusInbox.free()
            throw .notStarted(describe(statusError))
        }
        let headerInbox = Inbox.allocate()
        let headerCompletion = ClosureCompletion { _ in
            withExtendedLifetime(headers) {}
            headerInbox.free()
        }
        let headerError = Operations.batch { batch in
            batch.sendInitialMetadata(headers)
            batch.receiveInitialMetadata(into: headerInbox)
            return headerCompletion.start(batch.list, on: call.pointer)
        }
        guard headerError == GRPC_CALL_OK else {
            headerInbox.free()
            call.cancel()
            throw .notStarted(describe(headerError))
        }
    }

    func send(_ message: Message) async throws(RPCError) {
        let message = OutgoingMessage(message)
        let isSent = try await call.perform(keeping: message) { $0.sendMessage(message.buffer) }
        if !isSent { throw RPCError(ending: await status()) }
    }

    func finishSending() async throws(RPCError) {
        if try await !call.perform({ $0.sendClose() }) { throw RPCError(ending: await status()) }
    }

    func receive() async throws(RPCError) -> Message? {
        let inbox = Inbox.allocate()
        defer { inbox.free() }
        _ = try await call.perform { $0.receiveMessage(into: inbox) }
        if let message = inbox.takeMessage() { return message }
        let status = await status()
        guard status.code == .ok else { throw RPCError(ending: status) }
        return nil
    }

    /// How the stream ended; waits for the end.
    private func status() async -> Status {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let status = ending.withLock { ending -> Status? in
                    if ending.status == nil { ending.waiters.append(continuation) }
                    return ending.status
                }
                if let status { continuation.resume(returning: status) }
            }
        } onCancel: {
            call.cancel()
        }
    }

    private func end(with status: Status) {
        let waiters = ending.withLock { ending in
            ending.status = status
            defer { ending.waiters = [] }
            return ending.waiters
        }
        for waiter in waiters { waiter.resume(returning: status) }
    }
}
