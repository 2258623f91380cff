internal import GRPC
internal import Glibc
internal import Processes
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import Synchronization

/// An actor in gVisor: a process of ours that lasts as long as the sandbox, and the sandbox's own in their cgroup.
final class GVisorSandbox: Sandbox {
    let process: ChildProcess
    let runsc: Runsc
    let snapshots: SnapshotDirectory
    let space: SnapshotSpace
    let actorUID: String
    let address: ActorAddress
    private let egress: [EgressRule]
    /// What a snapshot says of its memory.
    let memory: SnapshotManifest.Memory
    /// As in `Activation`.
    private let resume: @Sendable () async throws(RuntimeFailure) -> Void
    private let state = Mutex(State())

    private struct State {
        /// Whether a checkpoint has it stand still.
        var isStopped = false
        /// Whether its memory is in a snapshot, and it is dead.
        var isSaved = false
        var isBeingCleared = false
        var isCleared = false
        var waiting: [UnsafeContinuation<Void, Never>] = []
    }

    init(
        _ process: ChildProcess, _ runsc: Runsc, _ snapshots: SnapshotDirectory, _ space: SnapshotSpace,
        _ activation: Activation, memory: SnapshotManifest.Memory
    ) {
        self.process = process
        self.runsc = runsc
        self.snapshots = snapshots
        self.space = space
        actorUID = activation.workload.actorUID
        address = activation.address
        egress = activation.workload.sandboxRules.egress
        resume = activation.resume
        self.memory = memory
    }

    private var mark: ProcessMark { runsc.place.mark }

    func waitForEnd() async -> String? {
        guard let status = await process.wait() else { return nil }
        terminate()
        return "a process \(status)"
    }

    /// It has to run for runsc to save it.
    var runsDuringCheckpoint: Bool { state.withLock { !$0.isStopped } }

    var hasEnded: Bool { process.exitStatus != nil }

    func terminate() {
        _ = ProcessTable.signal(SIGKILL, mark, among: runsc.cgroup.processes)
        process.signalGroup(SIGKILL)
    }

    func kill() async {
        terminate()
        let isFirst = state.withLock { state in
            defer { state.isBeingCleared = true }
            return !state.isBeingCleared
        }
        guard isFirst else { return await waitUntilCleared() }
        await uncancelled { await self.clear() }
        let waiting = state.withLock { state in
            state.isCleared = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func waitUntilCleared() async {
        await withUnsafeContinuation { continuation in
            let isCleared = state.withLock { state in
                if !state.isCleared { state.waiting.append(continuation) }
                return state.isCleared
            }
            if isCleared { continuation.resume() }
        }
    }

    private func clear() async {
        await BlockingThread.result { [runsc, mark] in
            // One that is being forked shows itself a moment later. What does not die is left to the next start of an agent.
            let deadline = ContinuousClock.now + Self.killLimit
            while ProcessTable.signal(SIGKILL, mark, among: runsc.cgroup.processes) > 0, ContinuousClock.now < deadline
            {
                usleep(1_000)
            }
        }
        await process.killAndWait()
        await runsc.network.close(address, runsc.notes)
        await BlockingThread.result { [runsc] in
            runsc.cgroup.remove()
            runsc.removeFiles()
        }
    }

    private static let killLimit = Duration.seconds(5)
    /// What saving a memory may take; whoever asked for it gives up before.
    private static let checkpointLimit = Duration.seconds(600)
    /// For how long to try to complete a snapshot that is all there is of an actor.
    private static let completionLimit = Duration.seconds(60)
    /// How often it is tried to have an actor reached again after a snapshot that came to nothing, in a quarter of a minute or
    /// more. No time is measured, since everything stands still while the node's lease is in doubt.
    private static let reopeningAttempts = 150
    private static let freezeLimit = Duration.seconds(5)
    /// More than the files of a snapshot have beside the memory.
    private static let slack = 16 << 20

    /// Until the memory is about to be saved, the actor can go on.
    func checkpoint(
        to snapshot: SnapshotURI, _ content: SnapshotContent, if condition: CheckpointCondition?
    ) async throws(RuntimeFailure) {
        if let status = process.exitStatus { throw RuntimeFailure(.failedPrecondition, "a process \(status)") }
        let draft = try await BlockingThread.result { [snapshots, actorUID] () throws(RuntimeFailure) in
            try SnapshotDraft(snapshot, in: snapshots, actorUID: actorUID)
        }
        do throws(RuntimeFailure) {
            switch content {
            case .full: try await saveAll(in: draft, if: condition)
            case .data: try await saveDirectory(in: draft, if: condition)
            }
        } catch {
            if !state.withLock({ $0.isSaved }) { await uncancelled { await self.recover(draft) } }
            throw error
        }
        await kill()
    }

    /// Stops the actor and packs its directory.
    private func saveDirectory(in draft: SnapshotDraft, if condition: CheckpointCondition?) async throws(RuntimeFailure)
    {
        try await freeze()
        try await condition?()
        try await BlockingThread.result(interruptibly: { [runsc] isCancelled throws(RuntimeFailure) in
            try draft.pack(runsc.place.durable, isCancelled: isCancelled)
        })
        try await condition?()
        try await BlockingThread.result { () throws(RuntimeFailure) in try draft.commit() }
        try await condition?()
    }

    /// Saves the memory, which ends the actor, and then packs its directory: it is what it was in the moment of the memory.
    ///
    /// (Another way would be to stop the actor before, by runsc's pause, and to find out whether its directory can be packed
    /// while it can still go on. In runsc 20221219 that command does nothing for an actor that was restored.)
    private func saveAll(in draft: SnapshotDraft, if condition: CheckpointCondition?) async throws(RuntimeFailure) {
        let quiet = QuietConnections(network: runsc.network, address: address, directory: runsc.notes)
        try quiet.checkAllAreKnown()
        try await condition?()
        try await checkNoFileIsDeleted()
        let claim = try await BlockingThread.result { [runsc, space] () throws(RuntimeFailure) in
            try space.take(
                runsc.cgroup.memoryInUse + DurableDirectory.size(of: runsc.place.durable) + Self.slack, for: draft)
        }
        defer { space.giveBack(claim) }
        try await condition?()
        try await quiet.end()
        try quiet.checkAllAreKnown()
        try await freeze()
        try await checkNoFileIsDeleted()
        try await saveMemory(to: draft.path)
        state.withLock { $0.isSaved = true }
        do throws(RuntimeFailure) {
            try await patiently { [memory, runsc] () throws(RuntimeFailure) in
                try draft.pack(runsc.place.durable, isCancelled: { false })
                try draft.complete(memory: memory)
            }
            try await patiently { () throws(RuntimeFailure) in try draft.settle() }
        } catch {
            terminate()
            let places = await BlockingThread.result { [runsc] in (draft.keep(), runsc.place.keep()) }
            throw RuntimeFailure(
                error.code,
                "\(error.reason); the memory that was saved is kept in \(places.0), and the directory in \(places.1)")
        }
    }

    /// Stops everything of the sandbox, until `goOn` or whoever called for the checkpoint has it go on.
    private func freeze() async throws(RuntimeFailure) {
        state.withLock { $0.isStopped = true }
        let deadline = ContinuousClock.now + Self.freezeLimit
        while await !BlockingThread.result(of: { [runsc] in ActorFreezer.stop(runsc.cgroup) }) {
            if ContinuousClock.now > deadline {
                throw RuntimeFailure(.internal, "the sandbox does not stop for the snapshot")
            }
            do { try await Task.sleep(for: .milliseconds(1)) } catch { throw RuntimeFailure(.cancelled, "cancelled") }
        }
        if let status = process.exitStatus { throw RuntimeFailure(.failedPrecondition, "a process \(status)") }
    }

    /// Has it go on where it was stopped, as soon as the node may run it.
    private func goOn() async throws(RuntimeFailure) {
        state.withLock { $0.isStopped = false }
        try await resume()
    }

    /// Has runsc save the memory, which ends the actor. The sandbox is woken up when it has been asked for that already, so that
    /// the actor has next to no time to delete a file.
    private func saveMemory(to image: String) async throws(RuntimeFailure) {
        try await told { () async throws(RuntimeFailure) in
            try await runsc.checkpoint(to: image, within: Self.checkpointLimit) {
                [self] (pid) async throws(RuntimeFailure) in
                await BlockingThread.result { ProcessTable.waitUntilIdle(pid) }
                try await goOn()
            }
        }
    }

    private func checkNoFileIsDeleted() async throws(RuntimeFailure) {
        let file = await BlockingThread.result { [runsc] in
            DeletedFiles.first(of: runsc.cgroup.processes, onFileSystemOf: runsc.place.durable)
        }
        guard let file else { return }
        throw RuntimeFailure(
            .failedPrecondition,
            "the actor's memory cannot be saved while it has a file open that was deleted or replaced: \(file.excerpt)")
    }

    /// Does something on a disk that may be full only for now.
    private func patiently(_ body: @escaping @Sendable () throws(RuntimeFailure) -> Void) async throws(RuntimeFailure) {
        let deadline = ContinuousClock.now + Self.completionLimit
        while true {
            do throws(RuntimeFailure) { return try await BlockingThread.result(of: body) } catch {
                guard ContinuousClock.now < deadline, (try? await Task.sleep(for: .milliseconds(500))) != nil else {
                    throw error
                }
            }
        }
    }

    /// Undoes what was done for a snapshot, but for letting the actor go on, which is for whoever wanted it.
    private func recover(_ draft: SnapshotDraft) async {
        await BlockingThread.result { draft.abandon() }
        for _ in 0..<Self.reopeningAttempts {
            if hasEnded { return }
            do throws(RuntimeFailure) { return try await runsc.network.reopen(for: address, egress) } catch {
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
        // Better dead, which is noticed, than running where nobody reaches it.
        terminate()
    }

    /// Tells runsc to do something. What it was told and has not answered it may still do at any time, so that nobody would
    /// know whether the actor moves: then the actor is killed, which is noticed.
    private func told(_ command: () async throws(RuntimeFailure) -> Void) async throws(RuntimeFailure) {
        do throws(RuntimeFailure) { try await command() } catch {
            if error.code == .deadlineExceeded || error.code == .cancelled { terminate() }
            throw error
        }
    }
}
