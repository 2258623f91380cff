package import GRPC
internal import Protobuf

/// A request or response as a Swift value, which knows its way to the wire and back.
package protocol WireMessage: Sendable {
    /// Reads the message.
    /// - Throws: `MalformedMessage` or `InvalidText`.
    init(_ message: Message) throws

    /// The message for the wire.
    var message: Message { get }
}

/// A unary method with the types of its request and response.
package struct RPC<Request: WireMessage, Response: WireMessage>: Sendable {
    package let method: Method

    package init(_ path: String) { method = Method(path) }
}

extension Channel {
    /// Calls a method.
    /// - Parameter timeout: after which the call ends with `.deadlineExceeded`.
    package func call<Request, Response>(
        _ rpc: RPC<Request, Response>, _ request: Request, metadata: Metadata = [:], timeout: Duration
    ) async throws(RPCError) -> Response {
        let reply = try await unary(rpc.method, request.message, metadata: metadata.passingTraceOn, timeout: timeout)
        do {
            return try Response(reply)
        } catch {
            throw .failed(Status(code: .internal, message: "the server's answer cannot be read: \(error)"))
        }
    }
}

extension ServerMethod {
    /// Offers a method. A request that cannot be read is answered with `INVALID_ARGUMENT` and never reaches `handler`.
    package init<Request, Response>(
        _ rpc: RPC<Request, Response>, handler: @escaping @Sendable (Request, ServerCall) async throws -> Response
    ) {
        self.init(rpc.method) { message, call in
            let request: Request
            do {
                request = try Request(message)
            } catch {
                throw Status(code: .invalidArgument, message: "\(error)")
            }
            return try await call.inItsTrace { try await handler(request, call) }.message
        }
    }
}
