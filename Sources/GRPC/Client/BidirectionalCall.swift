/// A stream in both directions.
///
/// Messages are read one at a time, when the reader asks: a slow reader holds back the server through HTTP/2's flow
/// control, and nothing is buffered here. One task may send and one may receive at the same time. Letting go of the last
/// reference cancels the stream.
public final class BidirectionalCall: Sendable, AsyncSequence {
    /// The received messages.
    public typealias Element = Message
    /// Errors that end the stream.
    public typealias Failure = RPCError

    private let core: StreamCore
    // The core ends the calls of a channel that goes away.
    private let channel: Channel

    init(core: StreamCore, on channel: Channel) {
        self.core = core
        self.channel = channel
    }

    // The operation that waits for the status keeps the core alive, so the core can not see that nobody is left.
    deinit { core.call.cancel() }

    /// Sends one message and returns when flow control has accepted it.
    public func send(_ message: Message) async throws(RPCError) { try await core.send(message) }

    /// Tells the server that no more messages follow.
    public func finishSending() async throws(RPCError) { try await core.finishSending() }

    /// The next message, or nil when the server has ended the stream with `ok`. Cancelling the task that waits cancels
    /// the whole stream.
    public func receive() async throws(RPCError) -> Message? { try await core.receive() }

    /// Ends the stream with `.cancelled`.
    public func cancel() { core.call.cancel() }

    /// Iterates over the received messages. Two iterators share the one stream.
    public func makeAsyncIterator() -> Iterator { Iterator(call: self) }

    /// Reads the stream message by message.
    public struct Iterator: AsyncIteratorProtocol {
        let call: BidirectionalCall

        /// The next message, or nil at the end.
        public mutating func next() async throws(RPCError) -> Message? { try await call.receive() }

        /// The next message, or nil at the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(RPCError) -> Message? {
            try await call.receive()
        }
    }
}
