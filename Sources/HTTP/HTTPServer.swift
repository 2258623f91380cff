internal import CMicroHTTPD
internal import Glibc
internal import ServiceKit
internal import Synchronization

/// A plain HTTP server for small requests and answers: bodies of requests are read and dropped.
///
/// A request that waits for its handler costs its connection and a task, no thread.
package final class HTTPServer: Sendable {
    package typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse
    /// Answers a request without waiting for anything; nil leaves it to the handler.
    package typealias QuickHandler = @Sendable (HTTPRequest) -> HTTPResponse?
    /// For a server some of whose answers are streams.
    package typealias StreamingHandler = @Sendable (HTTPRequest) async -> HTTPAnswer

    /// The port that is listened on; chosen by the system when 0 was asked for.
    package let port: Int
    // The library's daemon is thread-safe, and the pointer never changes.
    nonisolated(unsafe) private let daemon: OpaquePointer
    private let context: ServerContext

    /// Listens on an IPv4 address of this machine.
    /// - Parameters:
    ///   - connectionLimit: more wait in the system's backlog.
    ///   - atOnce: asked first, on the server's own thread, which saves the way to another one and back.
    /// - Throws: `HTTPError` when the address cannot be listened on.
    package convenience init(
        host: String, port: Int, connectionLimit: Int = 4096, atOnce: @escaping QuickHandler = { _ in nil },
        handler: @escaping Handler
    ) throws(HTTPError) {
        try self.init(
            host: host, port: port, connectionLimit: connectionLimit, atOnce: atOnce,
            streaming: { .response(await handler($0)) })
    }

    /// Listens on an IPv4 address of this machine.
    /// - Parameters: as above.
    /// - Throws: `HTTPError` when the address cannot be listened on.
    package init(
        host: String, port: Int, connectionLimit: Int, atOnce: @escaping QuickHandler = { _ in nil },
        streaming handler: @escaping StreamingHandler
    ) throws(HTTPError) {
        let context = ServerContext(atOnce: atOnce, handler: handler)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw HTTPError("cannot listen on \(host):\(port): \(host) is not an IPv4 address")
        }
        let daemon = withUnsafeMutablePointer(to: &address) { address in
            var options = [
                MHD_OptionItem(option: .SOCK_ADDR, value: 0, ptr_value: address),
                MHD_OptionItem(option: .CONNECTION_LIMIT, value: connectionLimit, ptr_value: nil),
                // An idle connection of a proxy's pool may stay a while; a silent client may not stay for ever.
                MHD_OptionItem(option: .CONNECTION_TIMEOUT, value: 75, ptr_value: nil),
                MHD_OptionItem(
                    option: .NOTIFY_COMPLETED, value: unsafeBitCast(ServerContext.completed, to: Int.self),
                    ptr_value: nil),
                MHD_OptionItem(option: .END, value: 0, ptr_value: nil),
            ]
            let flags = MHD_USE_EPOLL_INTERNAL_THREAD.rawValue | MHD_ALLOW_SUSPEND_RESUME.rawValue
            return cmicrohttpd_start(
                flags, UInt16(clamping: port), nil, ServerContext.handle,
                Unmanaged.passUnretained(context).toOpaque(), &options)
        }
        guard let daemon else {
            throw HTTPError("cannot listen on \(host):\(port): \(String(cString: strerror(errno)))")
        }
        self.context = context
        self.daemon = daemon
        self.port = Int(cmicrohttpd_port(daemon))
    }

    /// Serves until the task is cancelled; then cancels what is being handled and stops.
    package func run() async {
        let forever = AsyncStream<Never> { _ in }
        for await _ in forever {}
        // The library must not be stopped while a request is parked.
        await context.stop()
        await BlockingThread.result { [self] in MHD_stop_daemon(daemon) }
    }
}

/// What the callbacks of the library share.
final class ServerContext: Sendable {
    private let atOnce: HTTPServer.QuickHandler
    private let handler: HTTPServer.StreamingHandler
    private let state = Mutex(State())

    private struct State {
        var isStopping = false
        var nextID = 0
        var handling: [Int: Task<Void, Never>] = [:]
        var whenIdle: UnsafeContinuation<Void, Never>?
    }

    init(atOnce: @escaping HTTPServer.QuickHandler, handler: @escaping HTTPServer.StreamingHandler) {
        self.atOnce = atOnce
        self.handler = handler
    }

    /// One request from its first callback to its last.
    final class Exchange: Sendable {
        let request: HTTPRequest
        let answer = Mutex<HTTPAnswer?>(nil)
        /// Of an answer that is a stream.
        let writer = Mutex<HTTPStreamWriter?>(nil)

        init(request: HTTPRequest) { self.request = request }
    }

    static let handle: MHD_AccessHandlerCallback = {
        context, connection, url, method, _, _, uploadSize, exchangeSlot in
        guard let context, let connection, let url, let method, let uploadSize, let exchangeSlot else {
            return MHD_Result.NO
        }
        let server = Unmanaged<ServerContext>.fromOpaque(context).takeUnretainedValue()
        guard let known = exchangeSlot.pointee else {
            let request = HTTPRequest(
                method: String(cString: method), path: String(cString: url),
                headers: values(.HEADER_KIND, of: connection), query: values(.GET_ARGUMENT_KIND, of: connection))
            exchangeSlot.pointee = Unmanaged.passRetained(Exchange(request: request)).toOpaque()
            return MHD_Result.YES
        }
        if uploadSize.pointee > 0 {
            uploadSize.pointee = 0
            return MHD_Result.YES
        }
        let exchange = Unmanaged<Exchange>.fromOpaque(known).takeUnretainedValue()
        switch exchange.answer.withLock({ $0 }) {
        case nil:
            if let response = server.atOnce(exchange.request) { return send(response, on: connection) }
            return server.start(exchange, on: connection)
        case .response(let response): return send(response, on: connection)
        case .stream(let head, let lifetime, let body):
            return server.stream(head, lifetime, body, of: exchange, on: connection)
        }
    }

    static let completed:
        @convention(c) (
            UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
            MHD_RequestTerminationCode
        ) -> Void = { _, _, exchangeSlot, _ in
            guard let known = exchangeSlot?.pointee else { return }
            exchangeSlot?.pointee = nil
            let exchange = Unmanaged<Exchange>.fromOpaque(known).takeRetainedValue()
            exchange.writer.withLock { $0 }?.close()
        }

    private func start(_ exchange: Exchange, on connection: OpaquePointer) -> MHD_Result {
        let refused = HTTPResponse(status: 503, text: "stopping\n")
        // Parked connections are not touched by the library, and the pointer stays valid until it is resumed.
        nonisolated(unsafe) let connection = connection
        let task = begin(first: { MHD_suspend_connection(connection) }) { [self] in
            let answer = await handler(exchange.request)
            exchange.answer.withLock { $0 = answer }
            MHD_resume_connection(connection)
        }
        return task != nil ? MHD_Result.YES : ServerContext.send(refused, on: connection)
    }

    /// Sends the head, and has the body written.
    private func stream(
        _ head: HTTPResponse, _ lifetime: Duration,
        _ body: @escaping @Sendable (HTTPStreamWriter) async throws -> Void, of exchange: Exchange,
        on connection: OpaquePointer
    ) -> MHD_Result {
        let writer = HTTPStreamWriter(connection)
        guard let message = writer.makeBody() else { return MHD_Result.NO }
        defer { MHD_destroy_response(message) }
        for (name, value) in head.headers { MHD_add_response_header(message, name, value) }
        guard MHD_queue_response(connection, UInt32(head.status), message) == MHD_Result.YES else {
            return MHD_Result.NO
        }
        exchange.writer.withLock { $0 = writer }
        let task =
            exchange.request.method == "HEAD"
            ? nil
            : begin {
                await ServerContext.within(lifetime) { try await body(writer) }
                writer.end()
            }
        if let task { writer.whenClosed { task.cancel() } } else { writer.end() }
        return MHD_Result.YES
    }

    /// Does some work in a task that a stop cancels and waits for.
    /// - Returns: nil when the server is stopping, and nothing has been begun.
    private func begin(
        first prepare: () -> Void = {}, work: @escaping @Sendable () async -> Void
    ) -> Task<Void, Never>? {
        state.withLock { state in
            guard !state.isStopping else { return nil }
            prepare()
            let id = state.nextID
            state.nextID += 1
            let task = Task {
                await work()
                finish(id)
            }
            state.handling[id] = task
            return task
        }
    }

    /// What goes wrong has ended the stream, and whoever reads it sees that.
    private static func within(_ lifetime: Duration, _ body: @escaping @Sendable () async throws -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await body() }
            group.addTask { try? await Task.sleep(for: lifetime) }
            await group.next()
            group.cancelAll()
        }
    }

    private func finish(_ id: Int) {
        let idle = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            state.handling[id] = nil
            guard state.handling.isEmpty else { return nil }
            defer { state.whenIdle = nil }
            return state.whenIdle
        }
        idle?.resume()
    }

    func stop() async {
        await withUnsafeContinuation { continuation in
            let isIdle = state.withLock { state in
                state.isStopping = true
                for task in state.handling.values { task.cancel() }
                if !state.handling.isEmpty { state.whenIdle = continuation }
                return state.handling.isEmpty
            }
            if isIdle { continuation.resume() }
        }
    }

    /// Headers or parameters of the query, by lower-case name; of one that came twice the last value.
    private static func values(_ kind: MHD_ValueKind, of connection: OpaquePointer) -> [String: String] {
        final class Box { var values: [String: String] = [:] }
        let box = Box()
        MHD_get_connection_values(
            connection, kind,
            { box, _, key, value in
                guard let box, let key, let value else { return MHD_Result.YES }
                let name = String(cString: key)
                let isLowerCase = !name.utf8.contains { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
                Unmanaged<Box>.fromOpaque(box).takeUnretainedValue()
                    .values[isLowerCase ? name : name.lowercased()] = String(cString: value)
                return MHD_Result.YES
            }, Unmanaged.passUnretained(box).toOpaque())
        return box.values
    }

    private static func send(_ response: HTTPResponse, on connection: OpaquePointer) -> MHD_Result {
        var body = response.body
        let message = body.withUnsafeMutableBytes {
            MHD_create_response_from_buffer($0.count, $0.baseAddress, .RESPMEM_MUST_COPY)
        }
        guard let message else { return MHD_Result.NO }
        defer { MHD_destroy_response(message) }
        for (name, value) in response.headers { MHD_add_response_header(message, name, value) }
        return MHD_queue_response(connection, UInt32(response.status), message)
    }
}
