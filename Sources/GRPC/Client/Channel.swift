internal import CGRPC

/// Names one method of a service. Make it once for many calls.
public final class Method: Sendable {
    /// For example `/etcdserverpb.KV/Range`.
    public let path: String
    // Never changed after initialisation; the core takes references to it.
    nonisolated(unsafe) let slice: grpc_slice

    /// Creates a method from its full path.
    public init(_ path: String) {
        self.path = path
        slice = path.slice
    }

    deinit { grpc_slice_unref(slice) }

    /// The full name of the service, for example `etcdserverpb.KV`.
    public var service: String { String(path.dropFirst().prefix { $0 != "/" }) }
}

extension Method: Hashable {
    /// Methods are the same when their paths are.
    public static func == (left: Method, right: Method) -> Bool { left.path == right.path }

    /// Hashes the path.
    public func hash(into hasher: inout Hasher) { hasher.combine(path) }
}

/// Limits and times of a channel.
public struct ChannelOptions: Sendable {
    /// Largest message that may be received, in bytes. 4 MiB is the default of gRPC implementations.
    public var maximumReceiveSize = 4 << 20
    /// Largest message that may be sent, in bytes; nil for any. A larger one fails before anything of it is sent.
    public var maximumSendSize: Int?
    /// Silence after which the connection is probed while calls are pending. Servers of etcd drop connections that are
    /// probed more often than every 5 s.
    public var keepaliveTime: Duration = .seconds(10)
    /// How long a probe may stay unanswered before the connection counts as dead.
    public var keepaliveTimeout: Duration = .seconds(5)
    /// Longest pause between two attempts to connect. Short, because servers here restart on the same address and a
    /// waiting call should find them at once.
    public var maximumReconnectBackoff: Duration = .milliseconds(500)

    /// After how long without a call the connection is closed; the next call makes a new one. Nil for never. Also ends the attempts to
    /// connect to a server that is gone for good.
    public var idleTimeout: Duration?

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
        var arguments = ChannelArguments([
            ("grpc.max_receive_message_length", options.maximumReceiveSize),
            ("grpc.max_send_message_length", options.maximumSendSize ?? -1),
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
        if let idle = options.idleTimeout { arguments.add("grpc.client_idle_timeout_ms", idle.wholeMilliseconds) }
        if let name = credentials.serverName { arguments.add("grpc.ssl_target_name_override", name) }
        let core = credentials.makeCore()
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
        try await unary(method, request, metadata: PreparedMetadata(metadata), timeout: timeout)
    }

    /// Calls a method with headers that other calls share.
    /// - Parameter connectsFirst: wait for a connection before the call is started. When none can be had in time, it is then
    ///   certain that nothing was sent (`RPCError.notSent`), where otherwise the call would just have run out of time.
    public func unary(
        _ method: Method, _ request: Message, metadata: PreparedMetadata, timeout: Duration,
        connectsFirst: Bool = false
    ) async throws(RPCError) -> Message {
        let timeout = connectsFirst && !isReady ? try await connect(within: timeout) : timeout
        let call = try makeCall(method, timeout: timeout)
        return try await UnaryCall(adopting: call, request: request, metadata: metadata).response()
    }

    /// Opens a stream in both directions. The stream ends when the server ends it, when it is cancelled, when `timeout`
    /// has passed, or when the last reference to it goes away.
    /// - Parameter timeout: nil for a stream that lives until it is ended.
    public func stream(
        _ method: Method, metadata: Metadata = [:], timeout: Duration? = nil
    ) throws(RPCError) -> BidirectionalCall {
        try stream(method, metadata: PreparedMetadata(metadata), timeout: timeout)
    }

    /// Opens a stream with headers that other calls share.
    public func stream(
        _ method: Method, metadata: PreparedMetadata, timeout: Duration? = nil
    ) throws(RPCError) -> BidirectionalCall {
        let call = try makeCall(method, timeout: timeout)
        return BidirectionalCall(core: try StreamCore(call: CallHandle(adopting: call), metadata: metadata), on: self)
    }

    private var isReady: Bool {
        pointer.map { grpc_channel_check_connectivity_state($0, 0) } == GRPC_CHANNEL_READY
    }

    /// Waits for a connection. Returns how much of the time is left.
    private func connect(within limit: Duration) async throws(RPCError) -> Duration {
        let end = ContinuousClock.now + limit
        while let pointer {
            let state = grpc_channel_check_connectivity_state(pointer, 1)
            switch state {
            case GRPC_CHANNEL_READY: return ContinuousClock.now.duration(to: end)
            case GRPC_CHANNEL_TRANSIENT_FAILURE, GRPC_CHANNEL_SHUTDOWN:
                throw .notSent(Status(code: .unavailable, message: "cannot connect to \(target)"))
            default: break
            }
            let left = ContinuousClock.now.duration(to: end)
            if Task.isCancelled { throw .notSent(Status(code: .cancelled, message: "the task was cancelled")) }
            guard left > .zero else {
                throw .notSent(Status(code: .deadlineExceeded, message: "no connection to \(target) in time"))
            }
            // The core offers no way to end this early, so a cancellation is looked for now and then.
            let pause = min(left, .milliseconds(100))
            await withUnsafeContinuation { continuation in
                let completion = ClosureCompletion { _ in continuation.resume() }
                grpc_channel_watch_connectivity_state(
                    pointer, state, pause.fromNow, CompletionQueue.shared.pointer, completion.tag())
            }
        }
        return limit
    }

    private func makeCall(_ method: Method, timeout: Duration?) throws(RPCError) -> OpaquePointer {
        let deadline = timeout?.fromNow ?? gpr_inf_future(GPR_CLOCK_MONOTONIC)
        let queue = CompletionQueue.shared.pointer
        guard let pointer,
            let call = grpc_channel_create_call(
                pointer, nil, cgrpc_propagate_defaults(), queue, method.slice, nil, deadline, nil)
        else { throw .notStarted("no channel to \(target)") }
        return call
    }
}

extension RPCError {
    /// How a call ended, when it did not end well. With this text the core says that it had no connection to give the call
    /// to, and a server has no reason to say it.
    init(ending status: Status) {
        let isWithoutConnection =
            status.code == .unavailable && status.message.hasPrefix("failed to connect to all addresses")
        self = isWithoutConnection ? .notSent(status) : .failed(status)
    }
}

func describe(_ error: grpc_call_error) -> String {
    grpc_call_error_to_string(error).map { String(cString: $0) } ?? "error \(error.rawValue)"
}
