package import GRPC

/// A method with one request and a stream of responses, with their types.
package struct StreamRPC<Request: WireMessage, Response: WireMessage>: Sendable {
    package let method: Method

    package init(_ path: String) { method = Method(path) }
}

extension Channel {
    /// Opens a stream of responses. Letting go of it cancels the call.
    /// - Parameter timeout: after which the call ends with `.deadlineExceeded`; nil for none.
    package func open<Request, Response>(
        _ rpc: StreamRPC<Request, Response>, _ request: Request, metadata: Metadata = [:], timeout: Duration? = nil
    ) async throws(RPCError) -> ResponseStream<Response> {
        let call = try stream(rpc.method, metadata: metadata.passingTraceOn, timeout: timeout)
        try await call.send(request.message)
        try await call.finishSending()
        return ResponseStream(call: call)
    }
}

/// The responses of one call, read one at a time when asked for.
package struct ResponseStream<Response: WireMessage>: AsyncSequence, Sendable {
    package typealias Element = Response
    package typealias Failure = RPCError

    fileprivate let call: BidirectionalCall

    package func makeAsyncIterator() -> Iterator { Iterator(call: call) }

    /// The next response, for those who read one.
    package func next() async throws(RPCError) -> Response? {
        var iterator = makeAsyncIterator()
        return try await iterator.next()
    }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let call: BidirectionalCall

        /// The next response; nil when the server has ended the stream with success. Cancelling the task that waits
        /// cancels the call.
        package mutating func next(isolation: isolated (any Actor)? = #isolation) async throws(RPCError) -> Response? {
            guard let message = try await call.receive() else { return nil }
            do {
                return try Response(message)
            } catch {
                throw .failed(Status(code: .internal, message: "the server's answer cannot be read: \(error)"))
            }
        }
    }
}

/// Where a handler puts the responses of one call.
package struct ResponseWriter<Response: WireMessage>: Sendable {
    fileprivate let stream: ServerStream

    /// Returns when the transport has taken the response, which it does at the client's pace.
    /// - Throws: when the client has gone away.
    package func send(_ response: Response) async throws(RPCError) { try await stream.send(response.message) }
}

extension ServerMethod {
    /// Offers a method with a stream of responses, which ends when `handler` returns. A request that cannot be read is
    /// answered with `INVALID_ARGUMENT` and never reaches `handler`.
    /// - Parameter limit: for the request to come: until then the call holds a place, and nobody knows whose.
    package static func stream<Request, Response>(
        _ rpc: StreamRPC<Request, Response>, requestWithin limit: Duration = .seconds(10),
        handler: @escaping @Sendable (Request, ResponseWriter<Response>, ServerCall) async throws -> Void
    ) -> ServerMethod {
        .stream(rpc.method) { stream, call in
            let message = try await limited(to: limit) { try await stream.receive() }
            guard let message else {
                throw Status(code: .invalidArgument, message: "there is no request")
            }
            let request: Request
            do {
                request = try Request(message)
            } catch {
                throw Status(code: .invalidArgument, message: "\(error)")
            }
            try await call.inItsTrace { try await handler(request, ResponseWriter(stream: stream), call) }
        }
    }
}

/// What comes within the time.
private func limited<Value: Sendable>(
    to limit: Duration, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw Status(code: .deadlineExceeded, message: "no request came within \(limit)")
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else { throw CancellationError() }
        return value
    }
}
