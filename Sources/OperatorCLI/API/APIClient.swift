internal import GRPC
internal import ProgramKit
internal import ServiceKit
internal import SubstrateAPI

/// The way to the control plane's API.
struct APIClient: Sendable {
    let channel: Channel
    /// How long a call may take.
    let timeout: Duration
    private let headers: @Sendable () -> Metadata
    private let context: ServerContext?

    /// - Parameter limit: for a call, in place of what `--timeout` says.
    /// - Throws: `FlagError` when the flags, or what the context says in their place, do not fit together.
    init(_ invocation: Invocation, timeout limit: Duration? = nil) throws(FlagError) {
        let values = invocation.values
        context = invocation.context
        timeout = if let limit { limit } else { try values.duration("timeout") }
        let endpoint = try values.text("endpoint")
        do throws(FlagError) {
            let credentials = try TLSFlags.client("api", values)
            channel = Channel(target: endpoint, credentials: credentials)
            headers = try TokenFlag.headers("api", values, to: endpoint, over: credentials)
        } catch {
            guard let context else { throw error }
            throw FlagError("with the context \(context.name): \(error)")
        }
    }

    /// - Throws: `CommandError`
    func call<Request, Response>(
        _ rpc: RPC<Request, Response>, _ request: Request
    ) async throws(CommandError) -> Response {
        do {
            return try await channel.call(rpc, request, metadata: headers(), timeout: timeout)
        } catch {
            throw explain(error, rpc.method)
        }
    }

    /// Opens a stream of responses.
    func open<Request, Response>(
        _ rpc: StreamRPC<Request, Response>, _ request: Request, timeout: Duration? = nil
    ) async throws(RPCError) -> ResponseStream<Response> {
        try await channel.open(rpc, request, metadata: headers(), timeout: timeout)
    }

    /// What a failed call means to someone at a terminal.
    func explain(_ error: RPCError, _ method: Method) -> CommandError {
        let message = error.status.message
        switch error.code {
        case .unavailable:
            let advice = context.map { "is that where the context \($0.name) should lead?" } ?? "see --endpoint"
            return CommandError(
                "the API at \(channel.target) is unavailable: \(message) (is ateapi running there? \(advice))")
        case .deadlineExceeded:
            return CommandError(
                "the API at \(channel.target) has not answered within \(timeout.inWords); see --timeout")
        case .unimplemented:
            return CommandError(
                "the API at \(channel.target) does not offer \(method.path): it may be an older one, or another server")
        case .unauthenticated:
            return CommandError("\(message) (\(error.code.name)); see --api-token-file and --api-cert")
        default: return CommandError("\(message) (\(error.code.name))")
        }
    }
}

extension Duration {
    /// As flags take it: `30s`, or `250ms`.
    var inWords: String {
        let milliseconds = wholeMilliseconds
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }
}
