/// Says "look again", without saying at what. Signals that come while nobody looks become one.
package struct Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() {
        (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Wakes the one who waits, now or when it next does.
    package func fire() { continuation.yield() }

    /// One element per wake-up, until the waiting task is cancelled. For one waiter.
    package var wakeUps: AsyncStream<Void> { stream }
}
