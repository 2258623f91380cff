internal import CGRPC

/// Names one method of a service.
public struct Method: Sendable, Hashable {
    /// For example `/etcdserverpb.KV/Range`.
    public let path: String

    /// Creates a method from its full path.
    public init(_ path: String) { self.path = path }
}

/// How a channel proves who it is and checks whom it talks to.
public enum ChannelCredentials: Sendable {
    /// No TLS: for loopback, and for tests.
    case insecure
}

/// Limits and times of a channel.
public struct ChannelOptions: Sendable {
    /// Largest message that may be received, in bytes. 4 MiB is the default of gRPC implementations.
    public var maximumReceiveSize = 4 << 20
    /// Silence after which the connection is probed while calls are pending. Servers of etcd drop connections that are
    /// probed more often than every 5 s.
    public var keepaliveTime: Duration = .seconds(10)
    /// How long a probe may stay unanswered before the connection counts as dead.
    public var keepaliveTimeout: Duration = .seconds(5)
    /// Longest pause between two attempts to connect. Short, because servers here restart on the same address and a
    /// waiting call should find them at once.
    public var maximumReconnectBackoff: Duration = .milliseconds(500)

    /// The defaults.
    public init() {}
}

/// A connection to one server, kept up and re-established by the C core. Calls may be started from any task at any time.
public final class Channel: Sendable {
    /// The server's address, `host:port`.
    public let target: String
    // The core's channel is thread-safe, and the pointer never changes.
    nonisolated(unsafe) private let pointer: OpaquePointer?

    /// Creates a channel; connecting starts with the first call.
    public init(target: String, credentials: ChannelCredentials, options: ChannelOptions = ChannelOptions()) {
        self.target = target
        _ = CompletionQueue.shared
        let arguments = ChannelArguments([
            ("grpc.max_receive_message_length", options.maximumReceiveSize),
            ("grpc.keepalive_time_ms", options.keepaliveTime.wholeMilliseconds),
            ("grpc.keepalive_timeout_ms", options.keepaliveTimeout.wholeMilliseconds),
            // Otherwise the core stops probing an idle stream after two probes.
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 1000),
            ("grpc.max_reconnect_backoff_ms", options.maximumReconnectBackoff.wholeMilliseconds),
            ("grpc.enable_http_proxy", 0),
            // Retries are decided by who knows whether a call may be repeated.
            ("grpc.enable_retries", 0),
            ("grpc.service_config_disable_resolution", 1),
            // One connection per channel, so that closing a channel closes its connection.
            ("grpc.use_local_subchannel_pool", 1),
        ])
        let core: OpaquePointer?
        switch credentials {
        case .insecure: core = grpc_insecure_credentials_create()
        }
        pointer = arguments.withPointer { grpc_channel_create(target, core, $0) }
        grpc_channel_credentials_release(core)
    }

    deinit { if let pointer { grpc_channel_destroy(pointer) } }

    /// Calls a method with one request and one response.
    ///
    /// Cancelling the task cancels the call and ends it with `.cancelled`.
    /// - Parameter timeout: after which the call ends with `.deadlineExceeded`; millisecond grain.
    public func unary(
        _ method: Method, _ request: Message, metadata: Metadata = [:], timeout: Duration
    ) async throws(RPCError) -> Message {
        let call = try makeCall(method, timeout: timeout)
        return try await UnaryCall(call: call, request: request, metadata: metadata).response()
    }

    /// Opens a stream in both directions. The stream ends when the server ends it, when it is cancelled, when `timeout`
    /// has passed, or when the last reference to it goes away.
    /// - Parameter timeout: nil for a stream that lives until it is ended.
    public func stream(
        _ method: Method, metadata: Metadata = [:], timeout: Duration? = nil
    ) throws(RPCError) -> BidirectionalCall {
        let call = try makeCall(method, timeout: timeout)
        return BidirectionalCall(core: try StreamCore(call: call, metadata: metadata))
    }

    private func makeCall(_ method: Method, timeout: Duration?) throws(RPCError) -> CallHandle {
        let path = method.path.slice
        defer { grpc_slice_unref(path) }
        let deadline = timeout?.fromNow ?? gpr_inf_future(GPR_CLOCK_MONOTONIC)
        let queue = CompletionQueue.shared.pointer
        guard let pointer,
            let call = grpc_channel_create_call(
                pointer, nil, cgrpc_propagate_defaults(), queue, path, nil, deadline, nil)
        else { throw .notStarted("no channel to \(target)") }
        return CallHandle(adopting: call)
    }
}

/// Owns one call object of the core.
final class CallHandle: Sendable {
    // The core's calls are thread-safe where this type uses them; the pointer never changes.
    nonisolated(unsafe) let pointer: OpaquePointer

    init(adopting pointer: OpaquePointer) {
        self.pointer = pointer
        CallCensus.opened()
    }

    deinit {
        grpc_call_unref(pointer)
        CallCensus.closed()
    }

    /// Ends the call with `.cancelled` unless it has already ended. Allowed from any thread, before or after a batch.
    func cancel() { grpc_call_cancel(pointer, nil) }
}

func describe(_ error: grpc_call_error) -> String {
    grpc_call_error_to_string(error).map { String(cString: $0) } ?? "error \(error.rawValue)"
}
