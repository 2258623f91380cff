internal import CGRPC
internal import Synchronization

/// The server's end of a stream. At most one task receives and one sends at a time.
public final class ServerStream: Sendable {
    private let call: CallHandle
    private let hasSentHeaders = Atomic<Bool>(false)

    init(call: CallHandle) { self.call = call }

    /// The client's next message; nil when it has said that there are no more, or has gone away.
    public func receive() async throws(RPCError) -> Message? {
        let inbox = Inbox.allocate()
        defer { inbox.free() }
        _ = try await call.perform { $0.receiveMessage(into: inbox) }
        return inbox.takeMessage()
    }

    /// Sends a message. Returns when the transport has taken it, which it does at the client's pace.
    /// - Throws: `.failed` with `.cancelled` when the client has gone away.
    public func send(_ message: Message) async throws(RPCError) {
        let message = OutgoingMessage(message)
        let headers = takeHeaders()
        let isSent = try await call.perform(keeping: message) { batch in
            if let headers { batch.sendInitialMetadata(headers) }
            batch.sendMessage(message.buffer)
        }
        if !isSent { throw .failed(Status(code: .cancelled, message: "the client has gone away")) }
    }

    /// The headers, for the first batch that sends something.
    func takeHeaders() -> PreparedMetadata? {
        hasSentHeaders.exchange(true, ordering: .relaxed) ? nil : ServerStream.headers
    }

    // There are none of our own; the memory has to outlive every batch.
    private static let headers = PreparedMetadata([:])
}
