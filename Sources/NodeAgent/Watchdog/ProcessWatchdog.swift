internal import Etcd
internal import Glibc
internal import Processes
internal import ServiceKit
internal import SubstrateModel
internal import Synchronization

/// The agent's side of the watchdog that is a process of its own.
package final class ProcessWatchdog: Watchdog {
    private let directory: StateDirectory
    private let executable: String
    private let state = Mutex(State())

    private struct State {
        var file: WatchdogFile?
        var process: ChildProcess?
        var lastRequest: Int64 = 0
        /// One request at a time: they share their place in the file.
        var isAsking = false
    }

    /// How long a new watchdog may take, with what an earlier one has to clear up.
    private static let startLimit = Duration.seconds(10)
    private let answerLimit: Duration

    /// - Parameters:
    ///   - executable: an `atelet`.
    ///   - answerLimit: how long the process may take to follow: it looks through all processes of the machine, on a busy one.
    package init(directory: StateDirectory, executable: String, answerLimit: Duration = .seconds(5)) {
        self.directory = directory
        self.executable = executable
        self.answerLimit = answerLimit
    }

    deinit { state.withLock { $0.file?.closeFile() } }

    /// The process, once started.
    var pid: Int32? { state.withLock { $0.process?.pid } }

    package func start() async throws {
        if let process = state.withLock({ $0.process }), process.exitStatus == nil { return }
        let known = state.withLock { $0.file }
        guard let file = known ?? WatchdogFile(directory: directory.path) else {
            throw WatchdogError("cannot open \(directory.path)/watchdog: \(String(cString: strerror(errno)))")
        }
        state.withLock { state in
            state.file = file
            state.lastRequest = 0
        }
        guard file.set(deadline: 0), file.set(guardian: 0), file.set(request: 0), file.set(answer: 0) else {
            throw WatchdogError("cannot write \(directory.path)/watchdog: is the disk full?")
        }
        var command = Command(executable, [WatchdogProcess.command, directory.path, directory.id, "\(getpid())"])
        // It is there for when the agent has died.
        command.deathSignal = 0
        let process = try await ChildProcess.start(command)
        state.withLock { $0.process = process }
        guard await isTrue(within: Self.startLimit, { file.guardian == Int64(process.pid) }) else {
            await process.killAndWait()
            throw WatchdogError(
                "the watchdog does not start; an earlier agent's may hold \(directory.path)/watchdog: end that process")
        }
    }

    package func begin(_ hold: LeaseHold) async -> Bool {
        let (file, process) = state.withLock { ($0.file, $0.process) }
        guard let file, let process, file.set(deadline: Self.deadline(hold)) else { return false }
        return await isTrue(within: answerLimit) { file.guardian == Int64(process.pid) }
    }

    package func extend(_ hold: LeaseHold) -> Bool {
        let deadline = Self.deadline(hold)
        guard let file = state.withLock({ $0.file }), case let old = file.deadline, BootClock.nanoseconds < old,
            file.set(deadline: deadline)
        else { return false }
        // Written before the old one passed, it is what the watchdog finds then.
        if BootClock.nanoseconds < old { return true }
        _ = file.set(deadline: 0)
        return false
    }

    package func freeze() async {
        // Before the signals: the watchdog, too, looks again for what may just be starting.
        if let file = state.withLock({ $0.file }), file.set(deadline: 0) { file.wake() }
        let mark = directory.mark
        await BlockingThread.result {
            // Those that are just being forked show themselves only in a later look.
            let end = ContinuousClock.now + Self.freezeLimit
            while ProcessTable.stop(mark) > 0, ContinuousClock.now < end {
                usleep(2_000)
            }
        }
    }

    /// What a process in the middle of a system call may take to stand still; the watchdog goes on looking.
    private static let freezeLimit = Duration.seconds(1)

    package func thaw(_ activations: [ActivationID], _ hold: LeaseHold) async -> Bool {
        guard let file = state.withLock({ $0.file }) else { return false }
        return await request(activations) { file.set(deadline: Self.deadline(hold)) }
    }

    package func resume(_ activation: ActivationID) async -> Bool { await request([activation]) { true } }

    package func waitForFailure() async -> String? {
        guard let process = state.withLock({ $0.process }) else { return "there is no watchdog" }
        return await process.wait().map { "the watchdog \($0)" }
    }

    /// Has the watchdog let activations go on. One that does not answer is ended, which `waitForFailure` reports.
    private func request(_ activations: [ActivationID], _ prepare: () -> Bool) async -> Bool {
        guard await isTrue(within: answerLimit, beginAsking) else { return false }
        defer { state.withLock { $0.isAsking = false } }
        let (file, process, number) = state.withLock { state in
            state.lastRequest += 1
            return (state.file, state.process, state.lastRequest)
        }
        guard let file, let process, file.write(activations), prepare(), file.set(request: number) else { return false }
        file.wake()
        // Also for a caller that waits no longer: only one that does not answer is ended.
        guard await uncancelled({ await self.isTrue(within: self.answerLimit) { abs(file.answer) == number } }) else {
            process.signal(SIGKILL)
            return false
        }
        return file.answer == number
    }

    private func beginAsking() -> Bool {
        state.withLock { state in
            if state.isAsking { return false }
            state.isAsking = true
            return true
        }
    }

    /// Until when, on the boot-time clock, the lease can be relied on.
    static func deadline(_ hold: LeaseHold) -> Int64 {
        // In this order a pause in between makes it earlier, never later.
        let now = BootClock.nanoseconds
        let left = hold.left.components
        return now + left.seconds * 1_000_000_000 + left.attoseconds / 1_000_000_000
    }

    /// Looks until the watchdog has done something, or has ended.
    private func isTrue(within limit: Duration, _ condition: () -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if condition() { return true }
            guard let process = state.withLock({ $0.process }), process.exitStatus == nil else { return false }
            do { try await Task.sleep(for: .milliseconds(2)) } catch { return false }
        }
        return false
    }
}
