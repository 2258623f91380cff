internal import Etcd
internal import Metrics
package import ServiceKit
package import SubstrateModel
package import SubstrateStore

/// Releases actors from workers that are lost.
///
/// ```
/// watch workers/ ──┐
/// list on (re)start├──► lost workers ──► batches ──► rows of actors ──► decide ──► one transaction
/// sweep ───────────┘       (a set, not a queue of events)
/// ```
/// An event only says: look again. What is lost is computed from what is live and what is bound, the same way after an
/// event, a restart, a compaction or a sweep; the binding keeps a lost worker on the list until its release has committed.
/// Every replica knows the workers, and the leader releases; two that do it at the same time do no harm.
package struct WorkerPoolSyncer: Sendable {
    package let store: Store
    let inventory: WorkerInventory
    let environment: Environment
    let sweepInterval: Duration
    let policy: Policy
    let known: KnownRow
    let metrics: ControlPlaneMetrics

    /// The row of an actor as it was seen last, if it was.
    package typealias KnownRow = @Sendable (ActorRef) -> Stored<Actor>?

    /// What a template says is to follow the loss of a worker.
    package typealias Policy = @Sendable (TemplateRef) async throws(StoreError) -> OnWorkerLoss

    /// - Parameters:
    ///   - sweepInterval: how often the workers are listed although the watch is in order. Servers have lost delete
    ///     events.
    ///   - known: saves reading rows. What it says may be old, as what a read says is by the time of the transaction.
    ///   - policy: asked once for each template in a batch.
    package init(
        store: Store, inventory: WorkerInventory, environment: Environment, sweepInterval: Duration = .seconds(30),
        metrics: ControlPlaneMetrics = ControlPlaneMetrics(), known: @escaping KnownRow = { _ in nil },
        policy: @escaping Policy = { _ in .revert }
    ) {
        self.known = known
        self.metrics = metrics
        self.policy = policy
        self.store = store
        self.inventory = inventory
        self.environment = environment
        self.sweepInterval = sweepInterval
    }

    /// Keeps the inventory up to date until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await watch() }
            group.addTask { await sweep() }
        }
    }

    private func watch() async {
        await follow(store.keys.workers, of: store.etcd, environment) { listing in
            take(WorkerListing(listing, store.keys))
        } changed: { events in
            inventory.take(events)
        }
    }

    private func sweep() async {
        while true {
            do { try await environment.clock.sleep(for: sweepInterval) } catch { return }
            guard let listing = try? await store.listWorkers() else { continue }
            take(listing)
            environment.log.debug("swept the workers", ["revision": .integer(listing.revision)])
        }
    }

    private func take(_ listing: WorkerListing) {
        let isFirst = !inventory.isListed
        for error in listing.unreadable {
            environment.log.error("a worker's row cannot be read and is left alone", ["error": .text(error)])
        }
        let news = inventory.take(listing)
        if !isFirst, !news.isEmpty {
            metrics.missedChanges.add(Double(news.count))
            environment.log.info(
                "a listing of the workers told what the watch had not yet",
                ["workers": .array(news.prefix(10).map { .text($0) }), "count": .integer(Int64(news.count))])
        }
    }

    /// Releases the actors of lost workers until the task is cancelled.
    package func releaseLostWorkers() async {
        var backoff = Backoff(from: .milliseconds(10), to: .seconds(1))
        for await _ in inventory.listeners.changes {
            if await releaseOnce() {
                backoff.reset()
            } else {
                // What was not released is still in the set; an event that comes meanwhile is not lost either.
                do { try await environment.clock.sleep(for: environment.chance.jittered(backoff.pause())) } catch {
                    return
                }
                inventory.listeners.tell()
            }
        }
    }

    /// Looks once at every worker that is lost now. Returns whether nothing is left to be tried again soon.
    func releaseOnce() async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            var isDone = true
            for (index, batch) in batches(of: inventory.lostWorkers).enumerated() {
                if index >= Self.batchesAtATime, await group.next() == false { isDone = false }
                group.addTask { await attempt(batch) }
            }
            for await isBatchDone in group where !isBatchDone { isDone = false }
            return isDone
        }
    }

    /// A few, so that one is prepared while another commits; etcd commits one after the other anyway.
    private static let batchesAtATime = 4

    private func attempt(_ batch: [LostWorker], reading: Bool = false) async -> Bool {
        do {
            return try await release(batch, reading: reading)
        } catch {
            if Task.isCancelled { return true }
            metrics.releaseFailures.add()
            environment.log.warning(
                "cannot release actors from lost workers, will try again",
                ["workers": .integer(Int64(batch.count)), "error": .text(error)])
            guard batch.count > 1 || !reading, Self.mayConcernOneRow(error) else { return false }
            for lost in batch { _ = await attempt([lost], reading: true) }
            return false
        }
    }

    /// Whether the reason may lie in one of the rows, so that the others go through without it.
    private static func mayConcernOneRow(_ error: StoreError) -> Bool {
        switch error {
        case .conflict, .sessionLost: false
        case .unreadable, .tooLarge, .illegal: true
        case .etcd(let failure): [.tooLarge, .invalidRequest, .other].contains(failure.code)
        }
    }
}
