internal import CGRPC

/// One unary call: a single batch that sends everything and receives everything.
///
/// Unchecked, because the fields written after initialisation are ordered by the core: `continuation` is set before the
/// batch starts and read when it has completed, the inbox is read only then.
///
/// It is one object, because every call pays for each.
final class UnaryCall: Completion, @unchecked Sendable {
    private let call: OpaquePointer
    private let request: UnsafeMutablePointer<grpc_byte_buffer>?
    private let metadata: PreparedMetadata
    private let inbox = Inbox.allocate()
    private var continuation: UnsafeContinuation<Void, Never>?
    private var startError = GRPC_CALL_OK

    /// - Parameter call: becomes this object's own.
    init(adopting call: OpaquePointer, request: Message, metadata: PreparedMetadata) {
        self.call = call
        self.request = request.makeBuffer()
        self.metadata = metadata
        CallCensus.opened()
    }

    deinit {
        grpc_call_unref(call)
        if let request { grpc_byte_buffer_destroy(request) }
        inbox.free()
        CallCensus.closed()
    }

    func response() async throws(RPCError) -> Message {
        await withTaskCancellationHandler {
            // Unsafe is safe here: the batch completes exactly once, or did not start and the caller resumes itself.
            await withUnsafeContinuation { continuation in
                self.continuation = continuation
                startError = start()
                if startError != GRPC_CALL_OK { continuation.resume() }
            }
        } onCancel: {
            grpc_call_cancel(call, nil)
        }
        guard startError == GRPC_CALL_OK else { throw .notStarted(describe(startError)) }
        guard inbox.isOK else { throw RPCError(ending: inbox.status) }
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
            return start(batch.list, on: call)
        }
    }

    override func complete(succeeded: Bool) { continuation?.resume() }
}
