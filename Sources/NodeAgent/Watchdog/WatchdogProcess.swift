internal import CSpawn
internal import Glibc

/// The watchdog: a process beside the agent that stops the actors in time when the agent cannot.
///
/// Until the deadline it sleeps. Then it freezes every process that carries the state directory's mark, and goes on looking
/// for new ones while the deadline is past. What is frozen goes on only when the agent asks for it and the deadline is in the
/// future; as the same thread does both, none is frozen by a deadline that has been moved since, and none goes on under one
/// that has passed while the agent was stopped. When the agent is dead nobody can ever own what it has left, so that is
/// killed at once. It uses one thread, no concurrency, and nothing of the agent but files.
package enum WatchdogProcess {
    /// The first argument of `atelet` that makes it a watchdog; behind it come the state directory, its id and the agent's pid.
    package static let command = "watchdog"

    /// How often to look for more to freeze once the deadline has passed, in milliseconds; and how often when that is long
    /// ago, since looking at all processes of a machine costs something.
    private static let pauseMilliseconds: Int32 = 20
    private static let longPauseMilliseconds: Int32 = 100
    private static let longAgoMilliseconds: Int64 = 10_000

    package static func main(_ arguments: [String]) -> Never {
        guard arguments.count == 3, let agent = Int32(arguments[2]), let file = WatchdogFile(directory: arguments[0])
        else { exit(64) }
        let descriptor = cspawn_descriptor(agent)
        let mark = ProcessMark.directory(id: arguments[1])
        // An earlier one is still clearing up; the agent waits for us only so long, and does not outlive us for nothing.
        while !file.tryLock() { if hasEnded(descriptor, agent, file, within: pauseMilliseconds) { exit(0) } }
        // What was asked of an earlier one is nothing to us.
        var handled = file.request
        guard file.set(guardian: getpid()) else { exit(74) }
        while !hasEnded(descriptor, agent, file, within: pause(until: file.deadline)) {
            // The agent waits for the end of this before it relies on a new deadline, so it is read in between.
            guard file.set(guardian: 0) else { break }
            file.clearWakeUps()
            if BootClock.nanoseconds >= file.deadline {
                _ = ProcessTable.stop(mark)
            }
            let request = file.request
            if request > handled {
                guard file.set(answer: letGoOn(file, arguments[0], mark) ? request : -request) else { break }
                handled = request
            }
            guard file.set(guardian: getpid()) else { break }
        }
        while ProcessTable.signal(SIGKILL, mark) > 0 {
            _ = poll(nil, 0, pauseMilliseconds)
        }
        exit(0)
    }

    /// Lets the activations of the last request go on, unless the deadline has passed.
    private static func letGoOn(_ file: WatchdogFile, _ directory: String, _ mark: ProcessMark) -> Bool {
        guard let activations = file.activations else { return false }
        let marks = activations.map { ProcessMark.activation($0, in: directory) }
        var isInTime = true
        for activation in marks {
            guard BootClock.nanoseconds < file.deadline else { return false }
            ActorFreezer.letGoOn(mark, activation)
        }
        _ = ProcessTable.signal(SIGCONT, mark, andOneOf: marks) {
            isInTime = BootClock.nanoseconds < file.deadline
            return isInTime
        }
        return isInTime && BootClock.nanoseconds < file.deadline
    }

    /// Milliseconds to sleep; at most a minute, whatever the file says.
    private static func pause(until deadline: Int64) -> Int32 {
        let left = deadline.subtractingReportingOverflow(BootClock.nanoseconds).partialValue / 1_000_000
        if left > 0 { return Int32(min(left + 1, 60_000)) }
        return left > -longAgoMilliseconds ? pauseMilliseconds : longPauseMilliseconds
    }

    private static func hasEnded(
        _ descriptor: Int32, _ agent: Int32, _ file: WatchdogFile, within milliseconds: Int32
    ) -> Bool {
        // Without a descriptor the agent has ended already; and it may be another's if we are not its child any more.
        guard descriptor >= 0, getppid() == agent else { return true }
        var wanted = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: file.wakeUp, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&wanted, 2, milliseconds)
        return wanted[0].revents != 0 || getppid() != agent
    }
}
