@_spi(ExperimentalCustomExecutors) @_spi(ExperimentalScheduling) internal import _Concurrency

/// Ends the program when a job of the code under test leaves its lane: from there on the seed would not decide any more
/// what happens, and the results would be worth nothing.
package enum Escapes {
    /// To be called before any task is started.
    /// - Parameter report: says what has happened, and ends the program.
    package static func areCaught(by report: @escaping @Sendable (String) -> Never) {
        Factory.trap.report = report
        _createExecutors(factory: Factory.self)
    }

    private struct Factory: ExecutorFactory {
        static let trap = Trap()

        static var mainExecutor: any MainExecutor { trap }
        static var defaultExecutor: any TaskExecutor { trap }
    }

    /// Where all jobs go that prefer no lane. `@unchecked`: `report` is set once, before there are tasks.
    private final class Trap: MainExecutor, TaskExecutor, SchedulingExecutor, @unchecked Sendable {
        var report: @Sendable (String) -> Never = { fatalError($0) }

        func enqueue(_ job: consuming ExecutorJob) { report("\(job.description) runs in no lane") }

        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob, after delay: C.Duration, tolerance: C.Duration?, clock: C
        ) { report("\(job.description) sleeps on a real clock") }

        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob, at instant: C.Instant, tolerance: C.Duration?, clock: C
        ) { report("\(job.description) sleeps on a real clock") }

        func run() { report("the main executor was asked to run") }
        func stop() {}
        func checkIsolated() {}
        func isSameExclusiveExecutionContext(other: Trap) -> Bool { self === other }
        func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }
        func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
    }
}
