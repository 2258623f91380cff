internal import CGRPC

/// One unary call: a single batch that sends everything and receives everything.
///
/// Unchecked, because the fields written after initialisation are ordered by the core: `continuation` is set before the
/// batch starts and read when it has completed, the inbox is read only then.
final class UnaryCall: Completion, @unchecked Sendable {
    private let call: CallHandle
    private let request: OutgoingMessage
    private let metadata: PreparedMetadata
    private let inbox = Inbox.allocate()
    private var continuation: UnsafeContinuation<Void, Never>?
    private var startError = GRPC_CALL_OK

    init(call: CallHandle, request: Message, metadata: PreparedMetadata) {
        self.call = call
        self.request = OutgoingMessage(request)
        self.metadata = metadata
    }

    deinit { inbox.free() }

    func response() async throws(RPCError) -> Message {
        await withTaskCancellationHandler {
            // Unsafe is safe here: the batch completes exactly once, or did not start and the caller resumes itself.
            await withUnsafeContinuation { continuation in
                self.continuation = continuation
                startError = start()
                if startError != GRPC_CALL_OK { continuation.resume() }
            }
        } onCancel: {
            call.cancel()
        }
        guard startError == GRPC_CALL_OK else { throw .notStarted(describe(startError)) }
        let status = inbox.status
        guard status.code == .ok else { throw RPCError(ending: status) }
        guard let message = inbox.takeMessage() else {
            throw .failed(Status(code: .internal, message: "the server sent no response message"))
        }
        return message
    }

    private func start() -> grpc_call_error {
        Operations.batch { batch in
            batch.sendInitialMetadata(metadata)
            batch.sendMessage(request)
            batch.sendClose()
            batch.receiveInitialMetadata(into: inbox)
            batch.receiveMessage(into: inbox)
            batch.receiveStatus(into: inbox)
            return start(batch.list, on: call.pointer)
        }
    }

    override func complete(succeeded: Bool) { continuation?.resume() }
}
