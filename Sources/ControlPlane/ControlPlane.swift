internal import Etcd
internal import Metrics
package import ServiceKit
package import SubstrateModel
package import SubstrateStore

/// Times of the control plane.
package struct ControlPlaneOptions: Sendable {
    /// How often the workers are listed although the watch is in order.
    package var sweepInterval: Duration = .seconds(30)
    /// How often the operations are listed although the watch on them is in order.
    package var operationSweepInterval: Duration = .seconds(5)
    /// How long the replica's operations outlive it.
    package var leaseTimeToLive: Duration = Replica.defaultTimeToLive
    /// How long a node may stay without a final answer before its worker is given up. "Busy" is not final. Slow starts,
    /// of large images for example, are not cut off before this.
    package var answerLimit: Duration = .seconds(600)

    /// How often nodes are asked how long their actors have been idle. An actor is suspended at most two of these late.
    package var idleCheckInterval: Duration = .seconds(5)

    /// How often the leader looks again for golden snapshots that could not be taken, and the shortest pause before the next
    /// attempt at one.
    package var goldenCheckInterval: Duration = .seconds(5)
    /// How long a golden actor without readyz runs before its snapshot is taken.
    package var goldenActorTime: Duration = .seconds(20)

    package var quotas = Quotas()
    /// How many resumes may wait for a worker at a time.
    package var capacityQueue = 1000
    /// How long a worker that could not start an actor is avoided for that actor, if there is another.
    package var failedWorkerAvoidance: Duration = .seconds(60)
    /// How long the resume of a paused actor waits for its node to come back before it gives up what only that has. A restart
    /// of an agent takes about a second.
    package var nodeReturnLimit: Duration = .seconds(5)

    /// How long a snapshot is kept that no actor names any more. Longer than the interval between backups of etcd: a backup
    /// that is restored names the snapshots of its time.
    package var snapshotRetention: Duration = .seconds(24 * 3600)
    /// How often the leader looks for snapshots whose time is over.
    package var snapshotCollectionInterval: Duration = .seconds(60)
    /// Whether and how the leader compacts etcd. Off by default, since others may share it.
    package var compaction: Compaction?

    package init() {}
}

/// Everything that decides: the release of lost workers, and the workflows of actors.
package final class ControlPlane: Sendable {
    package let store: Store
    package let inventory: WorkerInventory
    package let catalog: Catalog
    package let replica: Replica
    let nodes: any NodeAgents
    package let environment: Environment
    let options: ControlPlaneOptions
    let metrics: ControlPlaneMetrics
    /// The workflows of this replica.
    package let underWay = WorkflowsUnderWay()
    /// What is known of all actors while this replica leads.
    package let lifecycle = LifecycleView()
    /// The operations of all replicas, as the last sweep has found them.
    package let operations = OperationListing()
    private let served: ServedActors

    package init(
        store: Store, nodes: any NodeAgents, environment: Environment,
        options: ControlPlaneOptions = ControlPlaneOptions(), metrics: ControlPlaneMetrics = ControlPlaneMetrics()
    ) {
        var store = store
        store.wallClock = environment.wallClock
        store.onConflict = { metrics.conflicts.add() }
        self.metrics = metrics
        self.store = store
        self.nodes = nodes
        self.environment = environment
        self.options = options
        inventory = WorkerInventory(keys: store.keys, environment: environment)
        catalog = Catalog(store: store, environment: environment)
        served = ServedActors(inventory: inventory, nodes: nodes, environment: environment)
        replica = Replica(store: store, environment: environment, timeToLive: options.leaseTimeToLive, metrics: metrics)
    }

    /// Runs until the task is cancelled.
    package func run() async {
        let syncer = WorkerPoolSyncer(
            store: store, inventory: inventory, environment: environment, sweepInterval: options.sweepInterval,
            metrics: metrics, known: { self.lifecycle.row(of: $0) }
        ) { template throws(StoreError) in
            // One that is gone has nothing to say.
            try await self.catalog.template(template)?.onWorkerLoss ?? .revert
        }
        await withDiscardingTaskGroup { group in
            group.addTask { await syncer.run() }
            group.addTask { await self.catalog.run() }
            group.addTask { await self.served.run() }
            group.addTask {
                await self.replica.run {
                    await self.work($0)
                } lead: {
                    await self.lead($0, syncer)
                }
            }
        }
    }

    /// What each replica does while it has a session.
    private func work(_ session: ReplicaSession) async {
        await OperationSweep(control: self, session: session).run()
    }

    /// What the leader does.
    private func lead(_ session: ReplicaSession, _ syncer: WorkerPoolSyncer) async {
        let adoption = Adoption(control: self, session: session)
        lifecycle.show(adoption)
        defer { lifecycle.show(nil) }
        await withDiscardingTaskGroup { group in
            group.addTask { await syncer.releaseLostWorkers() }
            group.addTask { await adoption.run() }
            group.addTask { await Vacating(control: self, session: session).run() }
            group.addTask { await IdleSuspension(control: self, session: session).run() }
            group.addTask { await SnapshotCollection(control: self).run() }
            group.addTask { await GoldenSnapshots(control: self, session: session).run() }
            if let compaction = self.options.compaction {
                group.addTask { await compaction.run(self.store, self.environment) }
            }
        }
    }

    /// 128 random bits in hexadecimal, for a uid.
    package func newID() -> String { environment.chance.id() }

    /// Puts the actor on a worker. One that runs is returned as it is.
    /// - Parameters:
    ///   - boot: whether one that has no snapshot of its own starts without its template's golden one.
    ///   - capacityWait: how long to wait, in order, for a worker when none is free.
    package func resumeActor(
        _ ref: ActorRef, boot: Bool = false, capacityWait: Duration = .zero
    ) async throws(ControlError) -> Stored<Actor> {
        let waited = environment.clock.stopwatch()
        var offered: ReservedWorker?
        // Whatever comes of it: whoever has claimed the worker has it bound by then, and otherwise others may have it.
        defer { if let offered { inventory.unreserve(offered.ref) } }
        while true {
            let actor = try await actor(ref)
            if case .running(let assignment) = actor.value.state {
                if catalog.idleTimeout(of: actor.value.template) != nil {
                    served.note(assignment.worker, uid: assignment.uid)
                }
                return actor
            }
            do {
                return try await resume(ref, from: actor, boot, on: offered)
            } catch .noFreeWorkers(let demand) {
                if let vain = offered.take() { inventory.unreserve(vain.ref) }
                // Nobody holds the actor meanwhile, and a caller who goes away leaves the queue.
                let left = capacityWait - waited.elapsed()
                guard left > .zero else { throw .noFreeWorkers(demand) }
                offered = await inventory.waitForWorker(demand, within: left, capacity: options.capacityQueue)
                if offered == nil { throw .noFreeWorkers(demand) }
            }
        }
    }

    private func resume(
        _ ref: ActorRef, from actor: Stored<Actor>, _ boot: Bool, on worker: ReservedWorker?
    ) async throws(ControlError) -> Stored<Actor> {
        try await replica.perform { hand throws(ControlError) in
            try await ResumeWorkflow(control: self, hand: hand, ref: ref, boot: boot, offered: worker).run(from: actor)
        }
    }

    /// The worker of this uid has an actor that a router has sent requests to, or is about to.
    package func noteServed(_ worker: WorkerRef, uid: String) {
        guard let binding = inventory.row(worker)?.binding, catalog.idleTimeout(of: binding.value.template) != nil
        else { return }
        served.note(worker, uid: uid)
    }

    /// Checkpoints the actor and frees its worker. One that is suspended is returned as it is.
    package func suspendActor(_ ref: ActorRef) async throws(ControlError) -> Stored<Actor> {
        let actor = try await actor(ref)
        if case .suspended = actor.value.state, !actor.value.isResumeDue { return actor }
        return try await replica.perform { hand throws(ControlError) in
            try await SuspendWorkflow(control: self, hand: hand, ref: ref).run(from: actor)
        }
    }

    /// Checkpoints the actor onto the disk of its node and frees its worker. One that is paused is returned as it is.
    package func pauseActor(_ ref: ActorRef) async throws(ControlError) -> Stored<Actor> {
        let actor = try await actor(ref)
        if case .paused = actor.value.state { return actor }
        return try await replica.perform { hand throws(ControlError) in
            try await PauseWorkflow(control: self, hand: hand, ref: ref).run(from: actor)
        }
    }

    /// Lets an actor be resumed again that is held since its worker was lost.
    package func releaseHold(of ref: ActorRef) async throws(ControlError) -> Stored<Actor> {
        let actor = try await actor(ref)
        return actor.value.isHeld ? try await takeBackWhatFollows(actor, ref) : actor
    }

    /// Neither a resume nor a hold follows any more. Whoever suspends an actor does not want the control plane to resume it.
    func takeBackWhatFollows(
        _ actor: Stored<Actor>, _ ref: ActorRef
    ) async throws(ControlError) -> Stored<Actor> {
        do throws(StoreError) {
            let released = try actor.value.after(.holdReleased)
            return try await store.updateActor(ref, from: actor, to: released)
        } catch {
            throw ControlError(error)
        }
    }

    func actor(_ ref: ActorRef) async throws(ControlError) -> Stored<Actor> {
        do {
            guard let actor = try await store.actor(ref) else { throw ControlError.actorNotFound(ref) }
            return actor
        } catch let error as StoreError {
            throw ControlError(error)
        } catch let error as ControlError {
            throw error
        } catch {
            throw .unavailable("\(error)")
        }
    }
}
