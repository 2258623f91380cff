internal import GRPC
internal import Glibc
internal import Processes
internal import ServiceKit
internal import SubstrateModel

/// The processes of one actor, each in a group of its own. When one ends, the actor has ended. Children that leave their
/// group are found by the mark in their environment.
struct ProcessSandbox: Sandbox {
    let processes: [ChildProcess]
    let place: ActivationDirectory
    let snapshots: SnapshotDirectory
    let actorUID: String

    func waitForEnd() async -> String? {
        let status = await withTaskGroup(of: ExitStatus?.self) { group in
            for process in processes { group.addTask { await process.wait() } }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        guard let status else { return nil }
        terminate()
        return "a process \(status)"
    }

    var hasEnded: Bool { processes.contains { $0.exitStatus != nil } }

    func terminate() { for process in processes { process.signalGroup(SIGKILL) } }

    func kill() async {
        terminate()
        for process in processes { await process.killAndWait() }
        await BlockingThread.result { [place] in
            // Children that have left their group. One that is being forked shows itself a moment later.
            let deadline = ContinuousClock.now + Self.killLimit
            while ProcessTable.signal(SIGKILL, place.mark) > 0,
                ContinuousClock.now < deadline
            {
                usleep(1_000)
            }
            place.remove()
        }
    }

    /// What children that have left their group may take to die before they are left to themselves, and to the next start of
    /// an agent.
    private static let killLimit = Duration.seconds(5)

    /// Stops the processes where they are, packs the directory, and only then kills them. If packing fails, they can go on.
    func checkpoint(
        to snapshot: SnapshotURI, _ content: SnapshotContent, if condition: CheckpointCondition?
    ) async throws(RuntimeFailure) {
        guard content == .data else {
            throw RuntimeFailure(
                .failedPrecondition,
                "this node runs actors as processes, whose memory cannot be saved: the scope must be SNAPSHOT_SCOPE_DATA"
            )
        }
        try await freeze()
        try await condition?()
        try await BlockingThread.result(interruptibly: {
            [snapshots, place, actorUID] isCancelled throws(RuntimeFailure) in
            try snapshots.write(place.durable, to: snapshot, actorUID: actorUID, isCancelled: isCancelled)
        })
        try await condition?()
        await kill()
    }

    private func freeze() async throws(RuntimeFailure) {
        for process in processes {
            if let status = process.exitStatus { throw RuntimeFailure(.failedPrecondition, "a process \(status)") }
            process.signalGroup(SIGSTOP)
        }
        // The signal is delivered at once, but a process in the middle of a system call finishes that first.
        let deadline = ContinuousClock.now + .seconds(5)
        while true {
            let moving = await BlockingThread.result { [mark = place.mark] in
                ProcessTable.signal(SIGSTOP, mark)
            }
            if moving == 0 { return }
            if ContinuousClock.now > deadline {
                throw RuntimeFailure(.internal, "\(moving) processes do not stop for the snapshot")
            }
            do { try await Task.sleep(for: .milliseconds(1)) } catch { throw RuntimeFailure(.cancelled, "cancelled") }
        }
    }
}
