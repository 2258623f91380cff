internal import CMicroHTTPD
internal import ServiceKit
internal import Synchronization

/// What a handler answers with.
package enum HTTPAnswer: Sendable {
    case response(HTTPResponse)
    /// Status and headers, and a body that is written bit by bit until the closure returns. The closure's task is cancelled
    /// when the client goes away, when the time is over, or when the server stops.
    case stream(HTTPResponse, lifetime: Duration, @Sendable (HTTPStreamWriter) async throws -> Void)
}

/// Why nothing more can be written to a stream.
package enum HTTPStreamError: Error, Sendable {
    /// The client has gone away, or the server stops.
    case closed
    /// The client reads more slowly than is written.
    case tooSlow
}

/// The body of an answer while it is being written.
package final class HTTPStreamWriter: Sendable {
    /// What may wait for a client. One write more is not begun before the client has taken what there is.
    package static let maximumBuffered = 1 << 20

    private let state = Mutex(State())
    // Used only while the exchange that it belongs to has not been completed.
    nonisolated(unsafe) private let connection: OpaquePointer

    private struct State {
        var buffer: [UInt8] = []
        var isParked = false
        /// Nothing more is written.
        var hasEnded = false
        /// The connection is gone.
        var isClosed = false
        var waiting: UnsafeContinuation<Void, Never>?
        var onClose: (@Sendable () -> Void)?
    }

    init(_ connection: OpaquePointer) { self.connection = connection }

    /// Writes some bytes, and returns when the client's connection has taken them.
    /// - Parameters:
    ///   - limit: for that.
    ///   - bytes: at most `maximumBuffered`.
    /// - Throws: `HTTPStreamError`; the stream is of no use any more then.
    package func write(_ bytes: [UInt8], within limit: Duration) async throws(HTTPStreamError) {
        guard bytes.count <= Self.maximumBuffered else { throw .tooSlow }
        let alarm = Task {
            try await Task.sleep(for: limit)
            stopWaiting()
        }
        defer { alarm.cancel() }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isClosed || Task.isCancelled { return true }
                    state.buffer += bytes
                    state.waiting = continuation
                    unpark(&state)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            stopWaiting()
        }
        let (isClosed, isTaken) = state.withLock { ($0.isClosed, $0.buffer.isEmpty) }
        if isClosed || Task.isCancelled { throw .closed }
        if !isTaken { throw .tooSlow }
    }

    private func stopWaiting() { state.withLock { $0.waiting.take() }?.resume() }

    /// No more comes. What has not been taken by a client that was too slow never is.
    func end() {
        state.withLock { state in
            state.hasEnded = true
            unpark(&state)
        }
    }

    /// The connection is gone.
    func close() {
        let (waiting, onClose) = state.withLock { state in
            state.isClosed = true
            state.isParked = false
            return (state.waiting.take(), state.onClose.take())
        }
        waiting?.resume()
        onClose?()
    }

    /// Has something done when the connection goes, at once if it has.
    func whenClosed(_ action: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.onClose = action }
            return state.isClosed
        }
        if isClosed { action() }
    }

    private func unpark(_ state: inout State) {
        guard state.isParked else { return }
        state.isParked = false
        MHD_resume_connection(connection)
    }

    /// Gives the library what there is, on its thread. With nothing to give the connection is parked until there is.
    func read(into target: UnsafeMutablePointer<CChar>, upTo size: Int) -> Int {
        let (count, taken) = state.withLock { state -> (Int, UnsafeContinuation<Void, Never>?) in
            if state.hasEnded {
                return (state.buffer.isEmpty ? Self.endOfStream : Self.endWithError, nil)
            }
            guard !state.buffer.isEmpty else {
                state.isParked = true
                MHD_suspend_connection(connection)
                return (0, nil)
            }
            let count = min(size, state.buffer.count)
            state.buffer.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(start: target, count: count)
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
            }
            state.buffer.removeFirst(count)
            return (count, state.buffer.isEmpty ? state.waiting.take() : nil)
        }
        taken?.resume()
        return count
    }

    /// The library's constants, which are macros that are not imported.
    private static let endOfStream = -1
    private static let endWithError = -2

    /// The library's body that is read from this writer; it keeps the writer as long as it needs it.
    func makeBody() -> OpaquePointer? {
        MHD_create_response_from_callback(
            UInt64.max, 32 << 10,
            { context, _, target, size in
                guard let context, let target else { return HTTPStreamWriter.endWithError }
                return Unmanaged<HTTPStreamWriter>.fromOpaque(context).takeUnretainedValue()
                    .read(into: target, upTo: size)
            }, Unmanaged.passRetained(self).toOpaque(),
            { context in
                guard let context else { return }
                Unmanaged<HTTPStreamWriter>.fromOpaque(context).release()
            })
    }
}
