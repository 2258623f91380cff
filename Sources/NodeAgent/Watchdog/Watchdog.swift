package import Etcd
internal import Glibc
internal import Processes
internal import Synchronization

/// The agent's side of its watchdog.
package final class Watchdog: Sendable {
    private let directory: StateDirectory
    private let executable: String
    private let state = Mutex(State())

    private struct State {
        var file: WatchdogFile?
        var process: ChildProcess?
    }

    /// How long a new watchdog may take, with what an earlier one has to clear up.
    private static let startLimit = Duration.seconds(10)

    /// - Parameter executable: an `atelet`.
    package init(directory: StateDirectory, executable: String) {
        self.directory = directory
        self.executable = executable
    }

    deinit { state.withLock { $0.file?.closeFile() } }

    /// The process, once started.
    var pid: Int32? { state.withLock { $0.process?.pid } }

    /// Until when, on the boot-time clock, what `stopwatch` was started for holds for `duration`.
    package static func deadline(_ duration: Duration, _ stopwatch: Stopwatch) -> Int64 {
        // In this order a pause in between makes it earlier, never later.
        let now = BootClock.nanoseconds
        let left = (duration - stopwatch.elapsed()).components
        return now + left.seconds * 1_000_000_000 + left.attoseconds / 1_000_000_000
    }

    /// Starts the process, unless one runs, and returns when it guards.
    package func start() async throws {
        if let process = state.withLock({ $0.process }), process.exitStatus == nil { return }
        let known = state.withLock { $0.file }
        guard let file = known ?? WatchdogFile(directory: directory.path) else {
            throw WatchdogError("cannot open \(directory.path)/watchdog: \(String(cString: strerror(errno)))")
        }
        state.withLock { $0.file = file }
        guard file.set(deadline: 0), file.set(guardian: 0) else {
            throw WatchdogError("cannot write \(directory.path)/watchdog: is the disk full?")
        }
        var command = Command(executable, [WatchdogProcess.command, directory.path, directory.id, "\(getpid())"])
        // It is there for when the agent has died.
        command.deathSignal = 0
        let process = try await ChildProcess.start(command)
        state.withLock { $0.process = process }
        guard await isGuarding(within: Self.startLimit) else {
            await process.killAndWait()
            throw WatchdogError(
                "the watchdog does not start; an earlier agent's may hold \(directory.path)/watchdog: end that process")
        }
    }

    /// Under a new lease, while nothing runs: lets actors run until then. False when the watchdog does not follow.
    package func begin(_ deadline: Int64) async -> Bool {
        guard let file = state.withLock({ $0.file }), file.set(deadline: deadline) else { return false }
        return await isGuarding(within: .seconds(1))
    }

    /// Moves the deadline after a renewal. False when the old one has passed, so that actors may be frozen: the watchdog is
    /// then ended, which `waitForFailure` reports.
    package func extend(until deadline: Int64) -> Bool {
        let (file, process) = state.withLock { ($0.file, $0.process) }
        // Written before the old one passed, it is what the watchdog finds then.
        if let file, case let old = file.deadline, file.set(deadline: deadline), BootClock.nanoseconds < old {
            return true
        }
        process?.signal(SIGKILL)
        return false
    }

    /// Waits until actors are not guarded any more, and says why; nil when the task is cancelled first.
    package func waitForFailure() async -> String? {
        guard let process = state.withLock({ $0.process }) else { return "there is no watchdog" }
        return await process.wait().map { "the watchdog \($0)" }
    }

    private func isGuarding(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            let (file, process) = state.withLock { ($0.file, $0.process) }
            guard let file, let process else { return false }
            if file.guardian == Int64(process.pid) { return true }
            if process.exitStatus != nil { return false }
            do { try await Task.sleep(for: .milliseconds(5)) } catch { return false }
        }
        return false
    }
}

/// Without a watchdog no actor may be started.
package struct WatchdogError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
