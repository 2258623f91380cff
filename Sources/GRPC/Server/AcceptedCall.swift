internal import CGRPC
internal import Synchronization

/// One call that is being answered.
final class AcceptedCall: Sendable {
    private let server: Server
    private let call: CallHandle
    private let context: ServerCall
    private let handling = Mutex<Task<Void, Never>?>(nil)

    init(server: Server, call: CallHandle, context: ServerCall) {
        self.server = server
        self.call = call
        self.context = context
    }

    deinit { server.requestEnded() }

    /// Runs the handler in a task of its own and sends what it says. Called on the queue's thread.
    func answer(with handler: ServerMethod.Handler?, request: Message?) {
        watchForCancellation()
        guard let handler else {
            return send(Status(code: .unimplemented, message: "unknown method \(context.method.path)"), nil)
        }
        guard let request else {
            // The core has already told the client why: too large, or gone.
            return send(Status(code: .internal, message: "the request message was not received"), nil)
        }
        guard server.admit() else {
            let limit = server.options.maximumConcurrentCalls
            return send(Status(code: .resourceExhausted, message: "\(limit) calls are already being handled"), nil)
        }
        let task = Task { await handle(request, with: handler) }
        // The event that reads this comes on the same thread, so it comes later.
        handling.withLock { $0 = task }
    }

    private func handle(_ request: Message, with handler: ServerMethod.Handler) async {
        let start = ContinuousClock.now
        let status: Status
        var response: Message?
        do {
            response = try await handler(request, context)
            status = Status(code: .ok, message: "")
        } catch let error as Status {
            status = error
        } catch is CancellationError {
            status = Status(code: .cancelled, message: "the call was cancelled")
        } catch {
            status = Status(code: .internal, message: "\(error)")
        }
        server.options.onCompleted(
            CompletedCall(method: context.method, peer: context.peer, status: status, duration: .now - start))
        send(status, response)
        server.handlerEnded()
        handling.withLock { $0 = nil }
    }

    /// Learns of the end of the call, and cancels the handler when the call ended for want of a client.
    private func watchForCancellation() {
        let cancelled = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
        cancelled.initialize(to: 0)
        let completion = ClosureCompletion { [self] _ in
            if cancelled.pointee != 0 { handling.withLock { $0 }?.cancel() }
            cancelled.deallocate()
        }
        let error = Operations.batch { batch in
            batch.receiveClose(into: cancelled)
            return completion.start(batch.list, on: call.pointer)
        }
        if error != GRPC_CALL_OK { cancelled.deallocate() }
    }

    private func send(_ status: Status, _ response: Message?) {
        let headers = PreparedMetadata([:])
        var trailing = status.metadata
        trailing.entries += context.trailingMetadata.entries
        let trailers = PreparedMetadata(trailing)
        let response = response.map { OutgoingMessage($0) }
        let completion = ClosureCompletion { [self] _ in withExtendedLifetime((self, headers, trailers, response)) {} }
        var details = status.message.slice
        _ = Operations.batch { batch in
            withUnsafeMutablePointer(to: &details) { details in
                batch.sendInitialMetadata(headers)
                if let response { batch.sendMessage(response.buffer) }
                batch.sendStatus(status.code, details: details, trailing: trailers)
                return completion.start(batch.list, on: call.pointer)
            }
        }
        grpc_slice_unref(details)
    }
}
