internal import CGRPC
internal import Synchronization

/// A gRPC server.
///
/// It listens from initialisation on, so that its port is known, and serves while `run()` runs.
public final class Server: Sendable {
    /// The port that is listened on; chosen by the system when the address asked for port 0.
    public let port: Int

    // The core's server is thread-safe, and the pointer never changes.
    nonisolated(unsafe) let pointer: OpaquePointer
    let options: ServerOptions
    let hasClientCertificates: Bool
    private let registered: [RegisteredMethod]
    private let state = Mutex(State())

    private struct State {
        var isStopping = false
        var places = Places()
        var streams: [ObjectIdentifier: AcceptedCall] = [:]
        /// Requests posted to the core and calls not yet freed: until there are none, the core may use our memory.
        var outstanding = 0
        var whenDrained: UnsafeContinuation<Void, Never>?
    }

    /// Creates a server that listens on `address` (`host:port`).
    /// - Throws: `ServerError` when the address or a method is not usable.
    public init(
        address: String, credentials: ServerCredentials, methods: [ServerMethod],
        options: ServerOptions = ServerOptions()
    ) throws(ServerError) {
        let queue = CompletionQueue.shared.pointer
        let arguments = ChannelArguments([
            ("grpc.max_receive_message_length", options.maximumReceiveSize),
            // The core would unpack what is compressed before it looks at the size: 4 MiB can be 4 GiB then. Nobody needs it.
            ("grpc.compression_enabled_algorithms_bitset", 1),
            ("grpc.per_message_decompression", 0),
            // Two servers on one port would share its connections at random.
            ("grpc.so_reuseport", 0),
            // Clients of this project probe an idle connection every 10 s.
            ("grpc.http2.min_ping_interval_without_data_ms", 5000),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.max_pings_without_data", 0),
            // A connection that does not get as far as a call is dropped, and so is one that asks for too much.
            ("grpc.server_handshake_timeout_ms", options.handshakeTimeout.wholeMilliseconds),
            ("grpc.max_concurrent_streams", options.maximumCallsPerConnection),
        ])
        guard let pointer = arguments.withPointer({ grpc_server_create($0, nil) }) else {
            throw .cannotListen(address: address)
        }
        self.pointer = pointer
        self.options = options
        grpc_server_register_completion_queue(pointer, queue, nil)
        registered = methods.compactMap { method in
            grpc_server_register_method(
                pointer, method.method.path, nil,
                method.isStream ? GRPC_SRM_PAYLOAD_NONE : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0
            ).map { RegisteredMethod(handle: $0, method: method) }
        }
        hasClientCertificates = credentials.hasClientCertificates
        let core = credentials.makeCore()
        port = Int(grpc_server_add_http2_port(pointer, address, core))
        grpc_server_credentials_release(core)
        let accepted = registered.map(\.method.method)
        if let refused = methods.map(\.method).first(where: { name in
            methods.count { $0.method == name } > accepted.count { $0 == name }
        }) {
            throw .cannotRegister(refused)
        }
        if port == 0 { throw .cannotListen(address: address) }
        grpc_server_start(pointer)
    }

    deinit {
        // Shutting down again is allowed, and the event comes at once when the server has stopped before.
        nonisolated(unsafe) let pointer = pointer
        let destroy = ClosureCompletion { _ in grpc_server_destroy(pointer) }
        grpc_server_shutdown_and_notify(pointer, CompletionQueue.shared.pointer, destroy.tag())
    }

    /// Serves until the task is cancelled; then takes no new calls, lets running ones finish within the grace period,
    /// cancels what is left and returns. Can run once.
    public func run() async {
        for method in registered {
            // Enough posted requests that a burst finds one waiting; the core queues what comes beyond.
            for _ in 0..<64 { post(method) }
        }
        post(nil)
        let forever = AsyncStream<Never> { _ in }
        for await _ in forever {}
        await stop()
    }

    private func stop() async {
        stopStreams()
        // A child of this cancelled task could not sleep.
        let grace = Task.detached { [self] in
            try await Task.sleep(for: options.gracePeriod)
            grpc_server_cancel_all_calls(pointer)
        }
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let completion = ClosureCompletion { _ in continuation.resume() }
            grpc_server_shutdown_and_notify(pointer, CompletionQueue.shared.pointer, completion.tag())
        }
        grace.cancel()
        await withUnsafeContinuation { continuation in
            let isDrained = state.withLock { state in
                if state.outstanding > 0 { state.whenDrained = continuation }
                return state.outstanding == 0
            }
            if isDrained { continuation.resume() }
        }
    }

    /// Not part of `stop`, whose frame would keep the calls alive while it waits for their end.
    private func stopStreams() {
        let streams = state.withLock { state in
            state.isStopping = true
            return Array(state.streams.values)
        }
        for stream in streams { stream.stop() }
    }

    /// Asks the core for one more call of `method`, or with nil for one of an unknown method.
    func post(_ method: RegisteredMethod?) {
        let isServing = state.withLock { state in
            if !state.isStopping { state.outstanding += 1 }
            return !state.isStopping
        }
        guard isServing else { return }
        let request = PostedRequest(server: self, method: method)
        if request.post() != GRPC_CALL_OK { requestEnded() }
    }

    /// A posted request came back without a call, or the call that it brought has been freed.
    func requestEnded() {
        let drained = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            state.outstanding -= 1
            guard state.outstanding == 0 else { return nil }
            defer { state.whenDrained = nil }
            return state.whenDrained
        }
        drained?.resume()
    }

    /// Takes a place for one more call, which has to be given back with `handlerEnded`.
    /// - Returns: what to answer when there is none, or nil.
    func admit(_ call: AcceptedCall, isStream: Bool, from context: ServerCall) -> Status? {
        state.withLock { state in
            guard isStream else {
                return state.places.takeForCall(options).map { Status(code: .resourceExhausted, message: $0) }
            }
            if state.isStopping { return Status(code: .unavailable, message: "the server is stopping") }
            if let reason = state.places.takeForStream(of: context.peerNetwork, options) {
                return Status(code: .resourceExhausted, message: reason)
            }
            state.streams[ObjectIdentifier(call)] = call
            return nil
        }
    }

    func handlerEnded(_ call: AcceptedCall, isStream: Bool, from context: ServerCall) {
        state.withLock { state in
            guard isStream else { return state.places.giveBackOfCall() }
            state.places.giveBackOfStream(of: context.peerNetwork)
            state.streams[ObjectIdentifier(call)] = nil
        }
    }
}

/// A method under the handle by which the core knows it.
struct RegisteredMethod: @unchecked Sendable {
    // An opaque constant of the core.
    let handle: UnsafeMutableRawPointer
    let method: ServerMethod
}
