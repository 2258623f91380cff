internal import GRPC
internal import Glibc
internal import Processes
internal import ServiceKit
internal import SubstrateModel

/// The processes of one actor, each in a group of its own. When one ends, the actor has ended.
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
        await BlockingThread.result { [place] in place.remove() }
    }

    /// Stops the processes where they are, packs the directory, and only then kills them: if packing fails, they go on.
    func checkpoint(to snapshot: SnapshotURI, if condition: CheckpointCondition?) async throws(RuntimeFailure) {
        do {
            try await freeze()
            try await condition?()
            try await BlockingThread.result { [snapshots, place, actorUID] () throws(RuntimeFailure) in
                try snapshots.write(place.durable, to: snapshot, actorUID: actorUID)
            }
            try await condition?()
        } catch {
            for process in processes { process.signalGroup(SIGCONT) }
            throw error
        }
        await kill()
    }

    private func freeze() async throws(RuntimeFailure) {
        for process in processes {
            if let status = process.exitStatus { throw RuntimeFailure(.failedPrecondition, "a process \(status)") }
            process.signalGroup(SIGSTOP)
        }
        let groups = Set(processes.map(\.pid))
        // The signal is delivered at once, but a process in the middle of a system call finishes that first.
        let deadline = ContinuousClock.now + .seconds(5)
        while true {
            let moving = await BlockingThread.result { ProcessTable.runningMembers(ofGroups: groups) }
            if moving.isEmpty { return }
            if ContinuousClock.now > deadline {
                throw RuntimeFailure(.internal, "processes \(moving) do not stop for the snapshot")
            }
            do { try await Task.sleep(for: .milliseconds(1)) } catch { throw RuntimeFailure(.cancelled, "cancelled") }
        }
    }
}
