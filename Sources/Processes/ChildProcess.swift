internal import Glibc
internal import ServiceKit
internal import Synchronization

/// A child process in a process group of its own.
///
/// It does not outlive us: the kernel sends it its death signal when this process ends, however that happens. When it ends,
/// what is left of its group is killed.
package final class ChildProcess: Sendable {
    package let pid: Int32
    private let state = Mutex(State())

    private struct State {
        var status: ExitStatus?
        var nextWaiter = 0
        var waiters: [Int: UnsafeContinuation<ExitStatus?, Never>] = [:]
    }

    init(pid: Int32) { self.pid = pid }

    /// Starts a process.
    package static func start(_ command: Command) async throws(SpawnError) -> ChildProcess {
        try await ProcessHost.shared.start(command)
    }

    /// Returns when the thread that starts all processes and learns of their ends takes up what it is asked, or the task is
    /// cancelled.
    package static func hostAnswer() async { await ProcessHost.shared.answer() }

    /// How it ended, or nil while it runs.
    package var exitStatus: ExitStatus? { state.withLock { $0.status } }

    /// Waits until it has ended and all of its output has been passed on; returns nil when the waiting task is cancelled
    /// first.
    @discardableResult
    package func wait() async -> ExitStatus? {
        let id = state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let (status, isWaiting) = state.withLock { state in
                    if state.status != nil || Task.isCancelled { return (state.status, false) }
                    state.waiters[id] = continuation
                    return (nil, true)
                }
                if !isWaiting { continuation.resume(returning: status) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: nil)
        }
    }

    /// Sends a signal to the process. Does nothing when it has ended: its id may be another's by then.
    package func signal(_ number: Int32) {
        state.withLock { state in
            if state.status == nil { _ = kill(pid, number) }
        }
    }

    /// Sends a signal to the whole group.
    package func signalGroup(_ number: Int32) {
        state.withLock { state in
            if state.status == nil { _ = kill(-pid, number) }
        }
    }

    /// Kills the group and waits until the process has ended, also when the task is cancelled: it takes moments.
    package func killAndWait() async {
        signalGroup(SIGKILL)
        await uncancelled { [self] in _ = await wait() }
    }

    /// Asks the process to stop, and kills its group when it has not within `grace`.
    package func stop(grace: Duration) async {
        signal(SIGTERM)
        await uncancelled { [self] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.wait() }
                group.addTask { try? await Task.sleep(for: grace) }
                await group.next()
                group.cancelAll()
            }
            await killAndWait()
        }
    }

    /// Called by the host. No signal is sent once `reap` has given the id back to the kernel.
    func end(reap: () -> ExitStatus) {
        let (status, waiters) = state.withLock { state in
            let status = reap()
            state.status = status
            defer { state.waiters = [:] }
            return (status, state.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: status) }
    }
}
