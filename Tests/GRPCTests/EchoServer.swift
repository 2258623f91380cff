import GRPC
import Testing

/// A server on a free port of loopback for the duration of `body`.
func withServer<Result: Sendable>(
    _ methods: [ServerMethod], options: ServerOptions = ServerOptions(),
    _ body: @Sendable (Channel, Server) async throws -> Result
) async throws -> Result {
    let server = try Server(address: "127.0.0.1:0", credentials: .insecure, methods: methods, options: options)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await server.run() }
        let result = try await body(Channel(target: "127.0.0.1:\(server.port)", credentials: .insecure), server)
        group.cancelAll()
        return result
    }
}

let echo = ServerMethod(Method("/test.Echo/Echo")) { request, _ in request }
