internal import Synchronization

/// Whether a program can do what it is for, as it says of itself.
package final class Readiness: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isReady = false
        var nextReader = 0
        var readers: [Int: AsyncStream<Bool>.Continuation] = [:]
    }

    /// Not ready.
    package init() {}

    package var isReady: Bool { state.withLock { $0.isReady } }

    package func set(_ isReady: Bool) {
        let readers = state.withLock { state in
            if state.isReady == isReady { return [AsyncStream<Bool>.Continuation]() }
            state.isReady = isReady
            return Array(state.readers.values)
        }
        for reader in readers { reader.yield(isReady) }
    }

    /// The present value, then the changed ones; a reader that is slow misses those between, not the last. Ends with the
    /// reading task's cancellation.
    package var values: AsyncStream<Bool> {
        let (stream, continuation) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state in
            defer { state.nextReader += 1 }
            state.readers[state.nextReader] = continuation
            // Under the lock, so that a change cannot come before it.
            continuation.yield(state.isReady)
            return state.nextReader
        }
        continuation.onTermination = { _ in self.state.withLock { $0.readers[id] = nil } }
        return stream
    }
}
