internal import ServiceKit
internal import SubstrateAPI
package import SubstrateModel
package import SubstrateStore
internal import Synchronization

/// One registration of a worker: what runs on it, and which calls it follows.
///
/// A worker that is registered anew gets a new slot; the old one has been closed by then, with its actor killed.
package final class WorkerSlot: Sendable {
    /// Why a registration has ended.
    package enum End: Sendable, Equatable {
        /// The task was cancelled.
        case cancelled
        /// The worker is to be registered anew.
        case anew
        /// Nothing can run on the worker, for this reason: it is not to be offered until a self-test has passed.
        case unfit(String)
    }

    package let ref: WorkerRef
    package let presence: Stored<Presence>
    let store: Store
    let runtime: any Runtime
    let lease: LeaseClock
    let watchdog: any Watchdog
    let addresses: ActorAddresses
    let environment: Environment
    let metrics: NodeMetrics
    /// Starts and checkpoints go on when the replica that asked for them goes away.
    let tasks = TaskPool()
    let state = Mutex(State())
    private let ending = Signal()
    /// Hear when something of the binding has been shown.
    let bindingNews = Listeners()

    struct State {
        var fence = WorkerFence()
        var running: Running?
        /// Revision at which the running actor's binding was read.
        var verifiedAt: Int64 = 0
        /// The binding as the watch last showed it.
        var binding: Stored<Binding>?
        var bindingSeenAt: Int64 = 0
        /// What the last actor that was started here has written; it stays until the next one is.
        var output: ActorOutput?
        var isClosed = false
        var end: End?
    }

    /// A sandbox with the epoch that it was started for. What is noted late of one epoch must not touch the next one's.
    struct Running {
        var epoch: Epoch
        var address: ActorAddress
        var sandbox: any Sandbox
        var actor: ActorRef
        var actorUID: String
        /// The local snapshot that it was started from, until it is known to be of no use any more.
        var origin: LocalSnapshotName?
        var idle = IdleClock()
    }

    init(
        ref: WorkerRef, presence: Stored<Presence>, store: Store, runtime: any Runtime, lease: LeaseClock,
        watchdog: any Watchdog, addresses: ActorAddresses, environment: Environment, metrics: NodeMetrics
    ) {
        self.metrics = metrics
        self.ref = ref
        self.presence = presence
        self.store = store
        self.runtime = runtime
        self.lease = lease
        self.watchdog = watchdog
        self.addresses = addresses
        self.environment = environment
    }

    /// The actor that runs here, and where it listens.
    var actor: ActorRef? { state.withLock { $0.running?.actor } }
    var address: ActorAddress? { state.withLock { $0.running?.address } }

    var incarnation: Incarnation { presence.incarnation }
    var log: Log { environment.log }
    var places: SnapshotPlaces { SnapshotPlaces(local: runtime.localSnapshotStore) }

    /// How long a registration may take to end, with an actor to kill and its files to remove. Whatever reads or writes a
    /// snapshot then is interrupted.
    static let endLimit = Duration.seconds(60)

    /// Runs what is asked for until the registration has to end or the task is cancelled; then kills the actor.
    /// - Parameter beat: called each time the worker has shown that it takes up what is asked for.
    package func run(every interval: Duration, beat: @escaping LoopHealth.Beat) async -> End {
        await withTaskCancellationHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.tasks.run() }
                group.addTask { await self.showProgress(every: interval, beat) }
                group.addTask { for await _ in self.ending.wakeUps { return } }
                await group.next()
                close()
                beat(Self.endLimit)
                group.cancelAll()
            }
        } onCancel: {
            // The actor may have moments left; a start or a checkpoint under way may take longer to wind up.
            close()
        }
        let (sandbox, end) = state.withLock { state in
            defer { state.running = nil }
            return (state.running?.sandbox, state.end)
        }
        await sandbox?.kill()
        return Task.isCancelled ? .cancelled : end ?? .anew
    }

    /// A trip through what every call goes through. Starts and checkpoints under way do not delay it, and it says nothing any
    /// more once the slot is closed: what is left then is to come to an end.
    private func showProgress(every interval: Duration, _ beat: LoopHealth.Beat) async {
        while !Task.isCancelled {
            if await tasks.perform({}) != nil { beat(nil) }
            do { try await environment.clock.sleep(for: interval) } catch { return }
        }
    }

    /// From here on nothing starts, and what runs is dead.
    private func close() {
        let sandbox = state.withLock { state in
            state.isClosed = true
            return state.running?.sandbox
        }
        sandbox?.terminate()
    }

    /// Ends this registration. The first reason counts.
    func end(_ end: End, because reason: String) {
        let isFirst = state.withLock { state in
            defer { state.end = state.end ?? end }
            return state.end == nil
        }
        guard isFirst else { return }
        log.info("ending a worker's registration", ["worker": .text(ref), "reason": .string(reason)])
        ending.fire()
    }

    /// Notes that nothing runs under the epoch any more.
    func ended(_ epoch: Epoch) {
        state.withLock { state in
            state.fence.ended(epoch)
            if state.running?.epoch == epoch { state.running = nil }
        }
    }
}
