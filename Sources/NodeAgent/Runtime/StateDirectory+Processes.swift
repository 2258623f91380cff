internal import Glibc
internal import Processes
internal import ServiceKit

/// What every runtime does with the processes that run because of a state directory.
extension StateDirectory {
    /// Returns when a thread could be had, the directory has answered, and so has the thread that starts and reaps all
    /// processes.
    func answer() async {
        let path = path
        _ = await BlockingThread.answer {
            var status = stat()
            return stat(path, &status)
        }
        await ChildProcess.hostAnswer()
    }

    /// What a process that is told to die may take for it.
    private static let killLimit = Duration.seconds(30)

    /// Kills every process that runs because of this directory, and returns how many there were. Blocks until they are dead.
    /// - Throws: `LeftoverError`.
    func killProcesses() throws(LeftoverError) -> Int {
        let deadline = ContinuousClock.now + Self.killLimit
        var killed = 0
        // One that is just being forked shows itself a moment later, and one that is told to die takes a moment.
        while case let count = ProcessTable.signal(SIGKILL, mark), count > 0 {
            killed = max(killed, count)
            if ContinuousClock.now > deadline { throw LeftoverError(count: count, limit: Self.killLimit) }
            usleep(2_000)
        }
        return killed
    }
}

/// Processes that do not die, as one does that waits for a disk which does not answer.
struct LeftoverError: Error, CustomStringConvertible {
    let count: Int
    let limit: Duration

    var description: String {
        "\(count) processes of earlier actors have not ended \(limit) after they were killed: nothing can be started before "
            + "they have; look for processes in state D, and at the disks that they use"
    }
}
