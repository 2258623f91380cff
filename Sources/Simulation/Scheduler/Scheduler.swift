/// Runs all tasks of one simulated world on the calling thread, one job at a time, in an order that the seed decides, and
/// lets virtual time pass.
///
/// A step is one job of a task, or one event of the world: a message that arrives, a timer that fires. Which job is next is
/// drawn. When no task can run, time moves on to the next event; now and then it does so although some can, as if they had
/// been slow. Without that steps would cost no time, and an await between a decision and its use would hardly ever meet an
/// event of the world.
///
/// `@unchecked`: all of a world is touched by the one thread that calls `step`, jobs of its tasks included.
package final class Scheduler: @unchecked Sendable {
    /// Since the beginning of the run.
    package private(set) var now: Duration = .zero
    /// Jobs and events so far.
    package private(set) var steps = 0
    /// For all that the world decides. Jobs of tasks draw from generators of their own.
    var random: SeededRandom
    /// Once in how many steps time moves on while tasks could run; 0 for never.
    var hastens = 16

    private struct Runnable {
        var lane: Lane
        var job: UnownedJob
    }

    private var runnable: [Runnable] = []
    /// Jobs of lanes that are being torn down come first and in order: they belong to no world any more.
    private var teardown: [Runnable] = []
    private var events = EventQueue()
    /// Of everything that happened, for comparing runs.
    private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325

    package init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// Does something at a later time. It cannot be taken back: what has become pointless by then has to see that itself.
    func after(_ delay: Duration, _ action: @escaping () -> Void) {
        events.add(at: now + max(.zero, VirtualTime.rounded(delay)), action)
    }

    /// Mixes a number into the digest.
    func note(_ number: UInt64) { digest = (digest ^ number) &* 0x0000_0100_0000_01b3 }

    func enqueue(_ job: UnownedJob, of lane: Lane) {
        let entry = Runnable(lane: lane, job: job)
        if lane.isTornDown { teardown.append(entry) } else { runnable.append(entry) }
    }

    /// Takes the lane's jobs away from those that can run.
    func withdraw(_ lane: Lane) -> [UnownedJob] {
        defer { runnable.removeAll { $0.lane === lane } }
        return runnable.filter { $0.lane === lane }.map(\.job)
    }

    /// Runs one job, or lets the next event happen. Returns false when there is neither.
    package func step() -> Bool {
        runTeardown()
        let hurries = !events.isEmpty && random.once(in: hastens)
        if runnable.isEmpty || hurries {
            guard let event = events.takeNext() else { return false }
            steps += 1
            now = max(now, event.time)
            note(UInt64(bitPattern: now.nanoseconds))
            // What is due at the same instant becomes possible together.
            let end = events.nextNumber
            event.action()
            while let same = events.takeNext(at: now, before: end) { same.action() }
            return true
        }
        steps += 1
        let index = random.index(below: runnable.count)
        let chosen = runnable[index]
        let last = runnable.removeLast()
        if index < runnable.count { runnable[index] = last }
        note(UInt64(chosen.lane.number))
        chosen.lane.run(chosen.job)
        return true
    }

    /// Lets the tasks of processes that were killed end, and forgets what was to happen later.
    func end() {
        runTeardown()
        events = EventQueue()
    }

    /// Most jobs that the tasks of a crashed process may need to end.
    private static let teardownLimit = 100_000

    private func runTeardown() {
        var count = 0
        while !teardown.isEmpty {
            let batch = teardown
            teardown = []
            for entry in batch { entry.lane.run(entry.job) }
            count += batch.count
            precondition(count < Self.teardownLimit, "tasks of a crashed process do not end")
        }
    }
}
