internal import Synchronization

/// Whether a program can do what it is for, as it says of itself.
package final class Readiness: Sendable {
    private let state = Mutex(false)
    private let listeners = Listeners()

    /// Not ready.
    package init() {}

    package var isReady: Bool { state.withLock { $0 } }

    package func set(_ isReady: Bool) {
        state.withLock { $0 = isReady }
        listeners.tell()
    }

    /// One element to begin with, and one or more behind each change, until the reading task is cancelled.
    package var changes: AsyncStream<Void> { listeners.changes }

    /// The present value, then what it is after each change, until the reading task is cancelled.
    package var values: AsyncMapSequence<AsyncStream<Void>, Bool> { listeners.changes.map { _ in self.isReady } }
}
