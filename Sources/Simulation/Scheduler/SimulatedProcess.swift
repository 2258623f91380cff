import ServiceKit

/// One process of the operating system, which can be stopped, continued and killed at any step.
///
/// Killing it must not let anything of it act any more, not even its `defer` and `catch`: they do run, since tasks have to
/// end, but every call that they make fails at once.
///
/// `@unchecked`: see `Scheduler`.
final class SimulatedProcess: @unchecked Sendable {
    let name: String
    let scheduler: Scheduler
    let lane: Lane
    private(set) var isDead = false
    private var nextWait = 0
    /// What to do with each wait when the process dies.
    private var waits: [Int: () -> Void] = [:]
    private var tasks: [Int: Task<Void, Never>] = [:]
    private var nextTask = 0

    init(_ name: String, number: Int, _ scheduler: Scheduler) {
        self.name = name
        self.scheduler = scheduler
        lane = Lane(name, number: number, scheduler)
    }

    /// What its code gets from outside.
    /// - Parameter log: what becomes of its lines; nil when nobody reads them.
    func environment(log: (@Sendable (Log.Line) -> Void)?) -> Environment {
        let scheduler = scheduler
        return Environment(
            clock: VirtualTime(process: self),
            wallClock: { 1_700_000_000_000 + scheduler.now.nanoseconds / 1_000_000 },
            chance: Chance(SeededRandom(seed: scheduler.random.next())),
            log: Log(minimum: log == nil ? nil : .debug) { [weak self] line in
                if self?.isDead == false { log?(line) }
            })
    }

    /// Starts a task of this process; nil when it is dead.
    @discardableResult
    func start(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never>? {
        if isDead { return nil }
        let id = nextTask
        nextTask += 1
        let task = Task(executorPreference: lane) {
            await body()
            self.tasks[id] = nil
        }
        tasks[id] = task
        return task
    }

    /// Waits until `begin` has been answered.
    /// - Parameter begin: arranges for the answer to be given later; only the first counts.
    /// - Returns: nil when the task was cancelled, or the process died.
    func wait<Value: Sendable>(_ begin: (_ answer: @escaping @Sendable (Value) -> Void) -> Void) async -> Value? {
        let id = nextWait
        nextWait += 1
        let box = Box<Value>()
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                if isDead || Task.isCancelled {
                    continuation.resume(returning: nil)
                    return
                }
                box.continuation = continuation
                waits[id] = { box.answer(nil) }
                begin { [weak self] value in
                    self?.waits[id] = nil
                    box.answer(value)
                }
            }
        } onCancel: {
            waits[id] = nil
            box.answer(nil)
        }
    }

    /// `@unchecked`: see `Scheduler`.
    private final class Box<Value: Sendable>: @unchecked Sendable {
        var continuation: UnsafeContinuation<Value?, Never>?

        func answer(_ value: Value?) {
            guard let continuation else { return }
            self.continuation = nil
            continuation.resume(returning: value)
        }
    }

    /// Asks its tasks to end, as a signal to terminate does.
    func stop() { for id in tasks.keys.sorted() { tasks[id]?.cancel() } }

    /// Whether all its tasks have ended.
    var hasEnded: Bool { tasks.isEmpty }

    /// Ends it at once.
    func kill() {
        if isDead { return }
        isDead = true
        lane.tearDown()
        for id in waits.keys.sorted() { waits[id]?() }
        waits = [:]
        stop()
    }
}
