internal import Synchronization

/// Runs tasks that belong to something longer-lived than those who ask for them, as children of `run`.
package final class TaskPool: Sendable {
    private struct Job: Sendable {
        var body: @Sendable () async -> Void
        var refuse: @Sendable () -> Void
    }

    private struct Queue {
        var jobs: [Job] = []
        var isClosed = false
    }

    private let queue = Mutex(Queue())
    private let wake = Signal()

    package init() {}

    /// Runs what is submitted until the task is cancelled; then cancels what runs, waits for it, and refuses the rest.
    /// To be called once.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await _ in wake.wakeUps {
                for job in take(closing: false) { group.addTask { await job.body() } }
            }
            group.cancelAll()
        }
        for job in take(closing: true) { job.refuse() }
    }

    /// Runs `body` in the pool and waits for its result. The body goes on when the caller stops waiting.
    /// - Returns: nil when the pool has ended before the body began, or the caller was cancelled.
    package func perform<Value: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () async throws(Failure) -> Value
    ) async -> Result<Value, Failure>? {
        let promise = Promise<Value?, Failure>()
        submit {
            do throws(Failure) {
                promise.keep(.success(try await body()))
            } catch {
                promise.keep(.failure(error))
            }
        } orElse: {
            promise.keep(.success(nil))
        }
        switch await promise.result() {
        case .success(let value?): return .success(value)
        case .failure(let error): return .failure(error)
        case .success(nil), nil: return nil
        }
    }

    /// Runs `body` in the pool, or `refuse` when the pool has ended or ends before the body begins. How many jobs there can
    /// be is bounded by those who submit.
    package func submit(
        _ body: @escaping @Sendable () async -> Void, orElse refuse: @escaping @Sendable () -> Void = {}
    ) {
        let body = Self.inTrace(body)
        let isTaken = queue.withLock { queue in
            if !queue.isClosed { queue.jobs.append(Job(body: body, refuse: refuse)) }
            return !queue.isClosed
        }
        if isTaken { wake.fire() } else { refuse() }
    }

    /// What is done for a request belongs to its trace, also where another task does it.
    private static func inTrace(_ body: @escaping @Sendable () async -> Void) -> @Sendable () async -> Void {
        guard let trace = TraceContext.current else { return body }
        return { await TraceContext.$current.withValue(trace) { await body() } }
    }

    private func take(closing: Bool) -> [Job] {
        queue.withLock { queue in
            defer { queue.jobs = [] }
            if closing { queue.isClosed = true }
            return queue.jobs
        }
    }
}
