internal import Synchronization

/// Those who want to hear that something has changed, without hearing what: they look again. Changes that come while one of
/// them does not look become one for it.
package final class Listeners: Sendable {
    private struct State {
        var next = 0
        var all: [Int: AsyncStream<Void>.Continuation] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package func tell() {
        for listener in state.withLock({ Array($0.all.values) }) { listener.yield() }
    }

    /// One element to begin with, then one or more behind each change, until the reading task is cancelled. A stream of its
    /// own for each who asks.
    package var changes: AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state in
            defer { state.next += 1 }
            state.all[state.next] = continuation
            return state.next
        }
        continuation.onTermination = { _ in _ = self.state.withLock { $0.all.removeValue(forKey: id) } }
        continuation.yield()
        return stream
    }
}
