internal import Etcd
internal import GRPC
package import ServiceKit
package import SubstrateAPI
package import SubstrateModel
package import SubstrateStore
internal import Synchronization

/// One registration of a worker: what runs on it, and which calls it follows.
///
/// A worker that is registered anew gets a new slot; the old one has been closed by then, with its actor killed.
package final class WorkerSlot: Sendable {
    package let ref: WorkerRef
    package let presence: Stored<Presence>
    private let store: Store
    private let runtime: any Runtime
    private let lease: LeaseClock
    private let log: Log
    private let wallClock: @Sendable () -> Int64
    private let stopwatch: @Sendable () -> Stopwatch
    /// Starts and checkpoints go on when the replica that asked for them goes away.
    private let tasks = TaskPool()
    private let state = Mutex(State())
    private let needsRegistration = Signal()
    private let listeners = Listeners()

    private struct State {
        var fence = WorkerFence()
        var running: Running?
        /// Revision at which the running actor's binding was read.
        var verifiedAt: Int64 = 0
        /// The binding as the watch last showed it.
        var binding: Stored<Binding>?
        /// Revision of that.
        var news: Int64 = 0
        /// What the last actor that was started here has written; it stays until the next one is.
        var output: ActorOutput?
        var isClosed = false
    }

    /// A sandbox with the epoch that it was started for. What is noted late of one epoch must not touch the next one's.
    private struct Running {
        var epoch: Epoch
        var sandbox: any Sandbox
        var actor: ActorRef
        var actorUID: String
        /// The local snapshot that it was started from, until it is known to be of no use any more.
        var origin: LocalSnapshotName?
        var idle = IdleClock()
    }

    package init(
        ref: WorkerRef, presence: Stored<Presence>, store: Store, runtime: any Runtime, lease: LeaseClock,
        environment: Environment
    ) {
        self.ref = ref
        self.presence = presence
        self.store = store
        self.runtime = runtime
        self.lease = lease
        log = environment.log
        wallClock = environment.wallClock
        stopwatch = { environment.clock.stopwatch() }
    }

    private var incarnation: Incarnation { presence.incarnation }
    private var places: SnapshotPlaces { SnapshotPlaces(local: runtime.localSnapshots) }

    /// Runs what is asked for until the worker has to be registered anew or the task is cancelled; then kills the actor.
    package func run() async {
        let tasks = tasks
        await withTaskCancellationHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await tasks.run() }
                group.addTask { for await _ in self.needsRegistration.wakeUps { return } }
                await group.next()
                close()
                group.cancelAll()
            }
        } onCancel: {
            // The actor may have moments left; a start or a checkpoint under way may take longer to wind up.
            close()
        }
        let sandbox = state.withLock { state in
            defer { state.running = nil }
            return state.running?.sandbox
        }
        await sandbox?.kill()
    }

    /// From here on nothing starts, and what runs is dead.
    private func close() {
        let sandbox = state.withLock { state in
            state.isClosed = true
            return state.running?.sandbox
        }
        sandbox?.terminate()
    }

    // MARK: Calls

    package func start(
        _ workload: Workload, from snapshot: Snapshot?, _ fences: Fences
    ) async throws(NodeFailure) -> Receipt {
        let epoch = fences.epoch
        return try await follow(fences) {
            $0.start(epoch, fences.operation)
        } act: { () throws(NodeFailure) in
            await self.verifyAndStart(workload, from: snapshot, epoch)
        }
    }

    /// - Parameter minimumIdleness: unless the actor has served nothing for that long, it goes on running.
    package func checkpoint(
        to snapshot: Snapshot, _ fences: Fences, minimumIdleness: Duration? = nil
    ) async throws(NodeFailure) -> Receipt {
        let epoch = fences.epoch
        return try await follow(fences) {
            $0.checkpoint(epoch, fences.operation)
        } act: { () throws(NodeFailure) in
            await self.writeCheckpoint(to: snapshot, epoch, minimumIdleness)
        }
    }

    package func status(_ fences: Fences) async throws(NodeFailure) -> Receipt {
        try await follow(fences) {
            $0.ask(fences.epoch, fences.operation)
        } act: { () throws(NodeFailure) in
            .success(Receipt(epoch: fences.epoch, state: .busy))
        }
    }

    package func stop(_ fences: Fences) async throws(NodeFailure) -> Receipt {
        let epoch = fences.epoch
        return try await follow(fences) {
            $0.stop(epoch, fences.operation)
        } act: { () throws(NodeFailure) in
            await self.sandbox(of: epoch)?.kill()
            self.ended(epoch)
            return .success(Receipt(epoch: epoch, state: .notRunning))
        }
    }

    /// What the actor of a stay here has written. Asking for it moves no fence.
    package func output(_ stay: Stay) throws(NodeFailure) -> ActorOutput {
        guard stay.incarnation == incarnation else { throw .otherIncarnation(ref) }
        guard let output = state.withLock({ $0.output }), output.epoch == stay.epoch else {
            throw .noOutput(ref, stay.epoch)
        }
        return output
    }

    /// Lets the fence decide, and does what is to be done in a task of the worker's own.
    private func follow(
        _ fences: Fences, _ decide: (inout WorkerFence) -> WorkerFence.Decision,
        act: @escaping @Sendable () async throws(NodeFailure) -> Result<Receipt, NodeFailure>
    ) async throws(NodeFailure) -> Receipt {
        guard fences.incarnation == incarnation else { throw .otherIncarnation(ref) }
        let decision = state.withLock { state in state.isClosed ? nil : decide(&state.fence) }
        switch decision {
        case nil: throw .otherIncarnation(ref)
        case .stale: throw .stale(ref)
        case .occupied: throw .occupied(ref)
        case .answer(let receipt): return receipt
        case .act:
            guard let result = await tasks.perform({ () throws(NodeFailure) in try await act() }) else {
                // Closed meanwhile, or the caller has gone; what became of it has to be asked for.
                throw .interrupted(ref)
            }
            return try result.get().get()
        }
    }

    // MARK: What a call does

    private func verifyAndStart(
        _ workload: Workload, from snapshot: Snapshot?, _ epoch: Epoch
    ) async -> Result<Receipt, NodeFailure> {
        let output = ActorOutput(epoch: epoch, workerPod: ref.pod, wallClock: wallClock)
        do throws(RuntimeFailure) {
            let revision = try await verify(epoch)
            state.withLock { $0.output = output }
            let activation = Activation(
                pod: ref.pod, epoch: epoch, workload: workload, address: presence.value.address,
                snapshot: try await places.source(snapshot), output: output)
            let sandbox = try await runtime.start(activation)
            let isOurs = state.withLock { state in
                guard !state.isClosed else { return false }
                state.fence.started(epoch)
                state.running = Running(
                    epoch: epoch, sandbox: sandbox, actor: workload.actor, actorUID: workload.actorUID,
                    origin: snapshot?.localName)
                state.verifiedAt = revision
                return true
            }
            guard isOurs else {
                await sandbox.kill()
                throw RuntimeFailure(.aborted, "the worker is being registered anew")
            }
            tasks.submit { await self.watch(sandbox, epoch) }
            log.info("started an actor", ["actor": .text(workload.actor), "worker": .text(ref), "epoch": .text(epoch)])
            await reconsider()
            return .success(Receipt(epoch: epoch, state: .running))
        } catch {
            ended(epoch)
            output.end()
            log.warning(
                "could not start an actor",
                ["actor": .text(workload.actor), "worker": .text(ref), "reason": .string(error.reason)])
            return .failure(
                NodeFailure(
                    status: Status(code: error.code, message: error.reason),
                    receipt: Receipt(epoch: epoch, state: error.isSnapshotMissing ? .noSnapshot : .notRunning)))
        }
    }

    /// Makes sure that the claim stands: the lease is good, and a linearizable read shows the binding with this epoch, for
    /// this incarnation, not revoked. Returns the revision up to which that is known.
    private func verify(_ epoch: Epoch) async throws(RuntimeFailure) -> Int64 {
        guard lease.isGood else { throw RuntimeFailure(.unavailable, "the node's lease is not good") }
        let binding: Stored<Binding>?
        do {
            binding = try await store.binding(of: ref)
        } catch {
            throw RuntimeFailure(.unavailable, "cannot verify the claim: \(error)")
        }
        guard let binding, binding.epoch == epoch, binding.value.incarnation == incarnation, !binding.value.isRevoked
        else {
            throw RuntimeFailure(.aborted, "the claim of worker \(ref) does not stand any more")
        }
        return binding.modRevision
    }

    private func watch(_ sandbox: any Sandbox, _ epoch: Epoch) async {
        guard let reason = await sandbox.waitForEnd() else { return }
        // Ends that were brought about have been noted by whoever did it.
        let isNews = state.withLock { state in
            guard state.fence.activity == .running(epoch) else { return false }
            state.fence.ended(epoch)
            state.running = nil
            return true
        }
        guard isNews else { return }
        log.warning("an actor died", ["worker": .text(ref), "epoch": .text(epoch), "reason": .string(reason)])
        await sandbox.kill()
        await reconsider()
    }

    private func writeCheckpoint(
        to snapshot: Snapshot, _ epoch: Epoch, _ minimumIdleness: Duration?
    ) async -> Result<Receipt, NodeFailure> {
        guard lease.isGood, let running = state.withLock({ $0.running }), running.epoch == epoch else {
            state.withLock { $0.fence.checkpointFailed(epoch) }
            return .failure(
                NodeFailure(
                    status: Status(code: .unavailable, message: "the node's lease is not good"),
                    receipt: Receipt(epoch: epoch, state: .running)))
        }
        let sandbox = running.sandbox
        do throws(RuntimeFailure) {
            let condition = minimumIdleness.map { idleness(of: epoch, atLeast: $0) }
            // Before it is stopped for nothing.
            try await condition?()
            let target = try await places.target(snapshot, running.actor, uid: running.actorUID)
            try await sandbox.checkpoint(to: target, if: condition)
            state.withLock { state in
                state.fence.checkpointed(epoch, snapshot)
                state.running = nil
            }
            log.info(
                "checkpointed an actor", ["worker": .text(ref), "epoch": .text(epoch), "snapshot": .text(snapshot)])
            return .success(Receipt(epoch: epoch, state: .checkpointed(snapshot)))
        } catch {
            log.warning(
                "could not checkpoint an actor",
                ["worker": .text(ref), "epoch": .text(epoch), "reason": .string(error.reason)])
            var hasEnded = sandbox.hasEnded
            if !hasEnded {
                state.withLock { $0.fence.checkpointFailed(epoch) }
                // Whoever watches it has taken no notice of an end before this.
                hasEnded = sandbox.hasEnded
            }
            if hasEnded {
                ended(epoch)
                await sandbox.kill()
                await reconsider()
            }
            return .failure(
                NodeFailure(
                    status: Status(code: error.code, message: error.reason),
                    receipt: Receipt(epoch: epoch, state: hasEnded ? .notRunning : .running)))
        }
    }

    private func sandbox(of epoch: Epoch) -> (any Sandbox)? {
        state.withLock { $0.running?.epoch == epoch ? $0.running?.sandbox : nil }
    }

    private func ended(_ epoch: Epoch) {
        state.withLock { state in
            state.fence.ended(epoch)
            if state.running?.epoch == epoch { state.running = nil }
        }
    }

    // MARK: How long the actor has been idle

    /// The actor has been asked to serve, or is about to be.
    func noteServed() { state.withLock { $0.running?.idle.served() } }

    var servedNotes: Int { state.withLock { $0.running?.idle.notes ?? 0 } }

    func connectedAddresses() async throws(RuntimeFailure) -> Set<ActorAddress> {
        try await runtime.connectedAddresses()
    }

    /// How long the actor has been idle, after a look at all connections; nil when none runs.
    /// - Parameter notesBefore: `servedNotes` from before the look.
    func activity(_ connected: Set<ActorAddress>, notesBefore: Int) -> WorkerActivity? {
        let isConnected = connected.contains(presence.value.address)
        let now = stopwatch()
        return state.withLock { state in
            guard let epoch = state.running?.epoch,
                let idleness = state.running?.idle.looked(
                    isConnected: isConnected, notesBefore: notesBefore, now: now)
            else { return nil }
            return WorkerActivity(workerUID: presence.value.uid, epoch: epoch, idleness: idleness)
        }
    }

    private func idleness(of epoch: Epoch, atLeast minimum: Duration) -> CheckpointCondition {
        { () throws(RuntimeFailure) in
            let notes = self.servedNotes
            let activity = self.activity(try await self.connectedAddresses(), notesBefore: notes)
            guard let activity, activity.epoch == epoch, activity.idleness >= minimum else {
                throw RuntimeFailure(.failedPrecondition, "the actor is not idle any more")
            }
        }
    }

    // MARK: What the watch shows

    /// The worker's binding as of `revision`.
    package func take(_ binding: Stored<Binding>?, at revision: Int64) async {
        let orphan = state.withLock { state -> (any Sandbox)? in
            state.binding = binding
            state.news = max(state.news, revision)
            let epoch = binding?.epoch
            if let known = state.fence.activity.epoch, known != epoch, revision > known.revision {
                state.fence.forget(known)
            }
            // Only what is newer than the proof that the actor belongs here can prove that it does not.
            guard case .running(let running) = state.fence.activity, running != epoch, revision > state.verifiedAt
            else {
                return nil
            }
            state.fence.ended(running)
            defer { state.running = nil }
            return state.running?.sandbox
        }
        if let origin = state.withLock({ Self.takeUselessOrigin(&$0) }) { await places.remove(origin) }
        if let orphan {
            log.warning("killing an actor whose claim is gone", ["worker": .text(ref), "revision": .integer(revision)])
            await orphan.kill()
        }
        listeners.tell()
        await reconsider()
    }

    /// The revision at which something of the binding was last shown.
    var news: Int64 { state.withLock { $0.news } }

    /// Waits until something of the binding is shown that is newer, or until the task is cancelled.
    func waitForNews(since revision: Int64) async {
        for await _ in listeners.changes where news != revision { return }
    }

    /// Has the worker registered anew, without its actor.
    func retire(_ reason: String) {
        log.info("registering the worker anew", ["worker": .text(ref), "reason": .string(reason)])
        needsRegistration.fire()
    }

    /// The local snapshot that the running actor was started from, once the binding is ready: in the same transaction the
    /// actor's row has forgotten it.
    private static func takeUselessOrigin(_ state: inout State) -> LocalSnapshotName? {
        guard let running = state.running, let binding = state.binding, binding.epoch == running.epoch,
            binding.value.phase == .ready
        else { return nil }
        state.running?.origin = nil
        return running.origin
    }

    /// Has the worker registered anew when its binding is revoked, or is ready while nothing runs and no receipt waits.
    private func reconsider() async {
        let reason = state.withLock { state -> String? in
            guard let binding = state.binding, binding.value.incarnation == incarnation else { return nil }
            if binding.value.isRevoked { return "its binding was revoked" }
            guard binding.value.phase == .ready else { return nil }
            // A binding that is older than what has run here since is gone; the watch has only not shown it yet.
            if state.fence.activity.epoch == binding.epoch || state.fence.burned > binding.epoch { return nil }
            return "its actor is gone"
        }
        if let reason { retire(reason) }
    }
}

extension NodeFailure {
    static func otherIncarnation(_ ref: WorkerRef) -> NodeFailure {
        NodeFailure(
            status: Status(code: .failedPrecondition, message: "the call is for another incarnation of worker \(ref)"),
            receipt: nil)
    }

    static func stale(_ ref: WorkerRef) -> NodeFailure {
        NodeFailure(
            status: Status(code: .aborted, message: "a newer operation has worker \(ref) in hand"), receipt: nil)
    }

    static func occupied(_ ref: WorkerRef) -> NodeFailure {
        NodeFailure(
            status: Status(code: .aborted, message: "worker \(ref) has another actor in hand"), receipt: nil)
    }

    /// There will not be any either: an epoch starts once.
    static func noOutput(_ ref: WorkerRef, _ epoch: Epoch) -> NodeFailure {
        NodeFailure(
            status: Status(
                code: .notFound, message: "worker \(ref) has no output of epoch \(epoch), or not any more"),
            receipt: nil)
    }

    static func interrupted(_ ref: WorkerRef) -> NodeFailure {
        NodeFailure(
            status: Status(code: .aborted, message: "worker \(ref) was interrupted"), receipt: nil)
    }
}
