internal import CGRPC
internal import Synchronization

/// One call that is being answered.
final class AcceptedCall: Sendable {
    private let server: Server
    private let call: CallHandle
    private let context: ServerCall
    private let start = ContinuousClock.now
    private let handling = Mutex<Task<Void, Never>?>(nil)
    private let isStopping = Atomic<Bool>(false)

    init(server: Server, call: CallHandle, context: ServerCall) {
        self.server = server
        self.call = call
        self.context = context
    }

    deinit { server.requestEnded() }

    /// Runs the handler in a task of its own and sends what it says. Called on the queue's thread.
    func answer(with method: ServerMethod?, request: Message?) {
        watchForCancellation()
        guard let method else {
            return end(Status(code: .unimplemented, message: "unknown method \(context.method.path)"))
        }
        if !method.isStream, request == nil {
            // The core has already told the client why: too large, or gone.
            return end(Status(code: .internal, message: "the request message was not received"))
        }
        if let refusal = server.admit(self, isStream: method.isStream, from: context) { return end(refusal) }
        let task = Task { await handle(request, with: method) }
        // The event that reads this comes on the same thread, so it comes later.
        handling.withLock { $0 = task }
        if isStopping.load(ordering: .relaxed) { task.cancel() }
    }

    /// Ends a stream whose server stops.
    func stop() {
        isStopping.store(true, ordering: .relaxed)
        handling.withLock { $0 }?.cancel()
    }

    private func handle(_ request: Message?, with method: ServerMethod) async {
        let stream = ServerStream(call: call)
        var status = Status(code: .ok, message: "")
        var response: Message?
        do {
            switch method.kind {
            case .unary(let handler): if let request { response = try await handler(request, context) }
            case .stream(let handler): try await handler(stream, context)
            }
        } catch let error as Status {
            status = error
        } catch let error as RPCError {
            status = error.status
        } catch is CancellationError {
            status = Status(code: .cancelled, message: "the call was cancelled")
        } catch {
            status = Status(code: .internal, message: "\(error)")
        }
        if Task.isCancelled, [.internal, .unknown, .unavailable].contains(status.code) {
            // Nobody waits for the answer any more, and what the handler says of being interrupted is no failure of it.
            status.code = context.deadline.map { $0 <= .now } ?? false ? .deadlineExceeded : .cancelled
        }
        if isStopping.load(ordering: .relaxed) {
            status = Status(code: .unavailable, message: "the server is stopping")
        }
        end(status, response, headers: stream.takeHeaders())
        server.handlerEnded(self, isStream: method.isStream, from: context)
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

    /// Reports the call and sends its end.
    private func end(
        _ status: Status, _ response: Message? = nil, headers: PreparedMetadata? = PreparedMetadata([:])
    ) {
        let duration = ContinuousClock.now - start
        server.options.onCompleted(CompletedCall(context, status, duration))
        var trailing = status.metadata
        trailing.entries += context.trailingMetadata.entries
        if let name = server.options.elapsedTrailer { trailing.append(name, "\(Int(duration / .microseconds(1)))") }
        let trailers = PreparedMetadata(trailing)
        let response = response.map { OutgoingMessage($0) }
        let completion = ClosureCompletion { [self] _ in withExtendedLifetime((self, headers, trailers, response)) {} }
        var details = status.message.slice
        _ = Operations.batch { batch in
            withUnsafeMutablePointer(to: &details) { details in
                if let headers { batch.sendInitialMetadata(headers) }
                if let response { batch.sendMessage(response.buffer) }
                batch.sendStatus(status.code, details: details, trailing: trailers)
                return completion.start(batch.list, on: call.pointer)
            }
        }
        grpc_slice_unref(details)
    }
}
