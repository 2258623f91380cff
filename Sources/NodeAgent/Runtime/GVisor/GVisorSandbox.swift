internal import GRPC
internal import Glibc
internal import Processes
internal import ServiceKit
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
    /// What a snapshot says of its memory.
    let memory: SnapshotManifest.Memory
    private let state = Mutex(State())

    private struct State {
        var isBeingCleared = false
        var isCleared = false
        var waiting: [UnsafeContinuation<Void, Never>] = []
    }

    init(
        _ process: ChildProcess, _ runsc: Runsc, _ snapshots: SnapshotDirectory, _ space: SnapshotSpace,
        actorUID: String, address: ActorAddress, memory: SnapshotManifest.Memory
    ) {
        self.process = process
        self.runsc = runsc
        self.snapshots = snapshots
        self.space = space
        self.actorUID = actorUID
        self.address = address
        self.memory = memory
    }

    private var mark: ProcessMark { runsc.place.mark }

    func waitForEnd() async -> String? {
        guard let status = await process.wait() else { return nil }
        terminate()
        return "a process \(status)"
    }

    /// runsc stops the actor, and saves it.
    var runsDuringCheckpoint: Bool { true }

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
    /// How often an actor is told to go on after a snapshot that came to nothing, in a quarter of a minute or more. No time is
    /// measured, since everything stands still while the node's lease is in doubt.
    private static let resumeAttempts = 150
    /// More than the files of a snapshot have beside the memory.
    private static let slack = 16 << 20

    /// Stops the actor, packs the directory, and then either saves its memory, which ends it, or kills it. Until the memory is
    /// about to be saved, it can go on.
    func checkpoint(
        to snapshot: SnapshotURI, _ content: SnapshotContent, if condition: CheckpointCondition?
    ) async throws(RuntimeFailure) {
        if let status = process.exitStatus { throw RuntimeFailure(.failedPrecondition, "a process \(status)") }
        let quiet = QuietConnections(network: runsc.network, address: address, directory: runsc.notes)
        if content == .full { try quiet.checkAllAreKnown() }
        let draft = try await BlockingThread.result { [snapshots, actorUID] () throws(RuntimeFailure) in
            try SnapshotDraft(snapshot, in: snapshots, actorUID: actorUID)
        }
        var claim: SnapshotSpace.Claim?
        defer { if let claim { space.giveBack(claim) } }
        var isSaved = false
        do throws(RuntimeFailure) {
            try await told { () async throws(RuntimeFailure) in try await runsc.pause() }
            try await condition?()
            if content == .full { try await checkNoFileIsDeleted() }
            claim = try await BlockingThread.result(interruptibly: {
                [runsc, space] isCancelled throws(RuntimeFailure) in
                try draft.pack(runsc.place.durable, isCancelled: isCancelled)
                return content == .full ? try space.take(runsc.cgroup.memoryInUse + Self.slack, for: draft) : nil
            })
            try await condition?()
            switch content {
            case .full:
                try await quiet.end()
                try quiet.checkAllAreKnown()
                try await told { () async throws(RuntimeFailure) in
                    try await runsc.checkpoint(to: draft.path, within: Self.checkpointLimit)
                }
                isSaved = true
                try await complete(draft)
            case .data:
                try await BlockingThread.result { () throws(RuntimeFailure) in try draft.commit() }
                try await condition?()
            }
        } catch {
            guard isSaved else {
                await uncancelled { await self.recover(draft) }
                throw error
            }
            terminate()
            let place = await BlockingThread.result { draft.keep() }
            throw RuntimeFailure(error.code, "\(error.reason); what was saved of the actor is kept in \(place)")
        }
        await kill()
    }

    /// While the actor stands still, so that it stays so.
    private func checkNoFileIsDeleted() async throws(RuntimeFailure) {
        let file = await BlockingThread.result { [runsc] in
            DeletedFiles.first(of: runsc.cgroup.processes, onFileSystemOf: runsc.place.durable)
        }
        guard let file else { return }
        throw RuntimeFailure(
            .failedPrecondition,
            "the actor's memory cannot be saved while it has a file open that was deleted or replaced: \(file.excerpt)")
    }

    /// Completes the snapshot of an actor of which there is nothing else any more.
    private func complete(_ draft: SnapshotDraft) async throws(RuntimeFailure) {
        try await patiently { [memory] () throws(RuntimeFailure) in try draft.complete(memory: memory) }
        try await patiently { () throws(RuntimeFailure) in try draft.settle() }
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

    /// Lets the actor go on as if nothing had been.
    private func recover(_ draft: SnapshotDraft) async {
        await BlockingThread.result { draft.abandon() }
        for _ in 0..<Self.resumeAttempts {
            if hasEnded { return }
            // One does not wait for the other: an actor that nobody reaches is better than one that stands still.
            let goesOn = await succeeds { () async throws(RuntimeFailure) in try await goOn() }
            let isReached = await succeeds { () async throws(RuntimeFailure) in
                try await runsc.network.reopen(for: address)
            }
            if goesOn, isReached { return }
            try? await Task.sleep(for: .milliseconds(100))
        }
        // Better dead, which is noticed, than standing still for ever.
        terminate()
    }

    private func goOn() async throws(RuntimeFailure) {
        try await told { () async throws(RuntimeFailure) in
            // It may not have come to a stop at all.
            if try await !runsc.isRunning() { try await runsc.resume() }
        }
    }

    private func succeeds(_ body: () async throws(RuntimeFailure) -> Void) async -> Bool {
        do throws(RuntimeFailure) { try await body() } catch { return false }
        return true
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
