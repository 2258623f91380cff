internal import Etcd
package import ServiceKit
internal import SubstrateModel
package import SubstrateStore

/// The agent of a node: offers its workers under one lease, and runs actors on them.
package final class NodeAgent: Sendable {
    let options: NodeOptions
    let store: Store
    let runtime: any Runtime
    let environment: Environment
    private let bootID: String
    private let directoryID: String
    private let slots: WorkerSlots
    private let readiness: Readiness
    private let watchdog: Watchdog?
    let drain: NodeDrain

    /// - Parameters:
    ///   - slots: filled with the registered workers, for the services.
    ///   - bootID: the kernel's.
    ///   - directoryID: of the locked state directory.
    ///   - readiness: set while every worker is registered.
    ///   - watchdog: freezes the actors when the agent cannot; nil only where there are none that could run on.
    ///   - drain: where the agent is told to stop after a drain.
    package init(
        options: NodeOptions, slots: WorkerSlots, store: Store, runtime: any Runtime, environment: Environment,
        bootID: String, directoryID: String, readiness: Readiness = Readiness(), watchdog: Watchdog? = nil,
        drain: NodeDrain? = nil
    ) {
        self.drain = drain ?? NodeDrain(environment: environment)
        self.watchdog = watchdog
        self.readiness = readiness
        self.slots = slots
        self.options = options
        self.store = store
        self.runtime = runtime
        self.environment = environment
        self.bootID = bootID
        self.directoryID = directoryID
    }

    /// Runs until it is told to stop and its workers are drained, or until the task is cancelled; then kills the actors and
    /// withdraws the workers.
    /// - Throws: `RegistrationError` when another agent holds one of the names and does not go away; `WatchdogError` when
    ///   there is no watchdog to be had.
    package func run() async throws {
        // An earlier agent's watchdog may still be killing what we would start.
        try await watchdog?.start()
        try await runtime.killLeftovers()
        await BlockingThread.result { [runtime] in runtime.localSnapshots.removeUnfinished() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.offerWorkers() }
            group.addTask {
                await self.drain.waitForEnd { self.slots.all.map(\.presence.value.uid) }
                if !Task.isCancelled { self.environment.log.info("the node is drained, or its time is up") }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func offerWorkers() async throws {
        var backoff = Backoff(from: .milliseconds(100), to: .seconds(2))
        while !Task.isCancelled {
            let generation: Generation?
            let sinceGrant: Stopwatch
            let lease: Lease
            do {
                generation = try await store.generation()?.value
                sinceGrant = environment.clock.stopwatch()
                lease = try await store.etcd.grantLease(timeToLive: options.leaseTimeToLive)
            } catch {
                if Task.isCancelled { return }
                environment.log.warning("cannot get a lease, will try again", ["error": .string("\(error)")])
                try? await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
                continue
            }
            backoff.reset()
            try await watchdog?.start()
            guard await watchdog?.begin(Watchdog.deadline(lease.timeToLive - options.leaseMargin, sinceGrant)) ?? true
            else { continue }
            try await serve(under: lease, sinceGrant, generation)
        }
    }

    /// Offers the workers until the lease is lost, etcd is of another generation, or the task is cancelled.
    private func serve(under lease: Lease, _ sinceGrant: Stopwatch, _ generation: Generation?) async throws {
        let clock = LeaseClock(timeToLive: lease.timeToLive, margin: options.leaseMargin, sinceGrant: sinceGrant)
        let keeper = LeaseKeeper(
            store: store.etcd, lease: lease, margin: options.leaseMargin, clock: environment.clock)
        environment.log.info(
            "offering workers",
            [
                "node": .string(options.node), "pool": .text(options.pool),
                "workers": .integer(Int64(options.addresses.count)),
                "lease": .text(lease.id),
            ])
        defer { clock.lose() }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    let loss = try await keeper.run(sinceGrant: sinceGrant) { sent in
                        // The watchdog hears of it first: what it may have frozen is not thawed.
                        let deadline = Watchdog.deadline(lease.timeToLive - self.options.leaseMargin, sent)
                        if self.watchdog?.extend(until: deadline) ?? true { clock.renewed(sent) } else { clock.lose() }
                    }
                    clock.lose()
                    self.environment.log.error("lost the lease: killing all actors", ["reason": .text(loss)])
                }
                if let watchdog {
                    group.addTask {
                        guard let reason = await watchdog.waitForFailure() else { return }
                        clock.lose()
                        self.environment.log.error("killing all actors", ["reason": .string(reason)])
                    }
                }
                group.addTask { await self.followGeneration(generation) }
                group.addTask { await self.followBindings() }
                group.addTask { await self.followDrainOrders() }
                group.addTask { await self.collectLocalSnapshots() }
                for (ref, address) in self.options.workers {
                    group.addTask { try await self.offer(ref, address, under: lease.id, clock) }
                }
                // The first to end is the loss of the lease, a new generation, or an error.
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch is CancellationError {
        }
        // The actors are dead by now, so the workers may go at once.
        await uncancelled { [store] in
            await EtcdDeadline.$current.withValue(.now + .seconds(1)) { try? await store.etcd.revoke(lease.id) }
        }
    }

    /// Registers a worker, and again whenever it has to be, until the task is cancelled or the lease turns out to be gone.
    private func offer(
        _ ref: WorkerRef, _ address: ActorAddress, under lease: LeaseID, _ clock: LeaseClock
    ) async throws {
        // A worker that is to be drained never looks free.
        await drain.waitUntilListed()
        while !Task.isCancelled {
            let presence = Presence(
                uid: environment.chance.id(), address: address, node: options.node, bootID: bootID,
                directoryID: directoryID, agentAddress: options.agentAddress, labels: options.labels,
                sandboxClass: runtime.sandboxClass,
                drainingUntilMilliseconds: drain.demand(of: ref, on: options.node)?.untilMilliseconds)
            let stored: Stored<Presence>
            do {
                stored = try await register(ref, presence, lease)
            } catch StoreError.sessionLost {
                clock.lose()
                environment.log.error("the lease is gone: killing all actors", ["worker": .text(ref)])
                return
            }
            let slot = WorkerSlot(
                ref: ref, presence: stored, store: store, runtime: runtime, lease: clock,
                environment: environment)
            slots.insert(slot)
            readiness.set(slots.all.count == options.addresses.count)
            await withTaskGroup { group in
                group.addTask { await self.followDrain(of: slot, under: lease) }
                await slot.run()
                group.cancelAll()
            }
            readiness.set(false)
            slots.remove(slot)
            drain.note(stored.value.uid, isVacated: false)
            if Task.isCancelled { return }
            try await withdraw(ref, stored.incarnation)
        }
    }

    private func followBindings() async {
        let keys = store.keys
        let workers = options.workers.map(\.ref)
        await follow(keys.bindings(in: options.pool), of: store.etcd, environment) { listing in
            let listing = WorkerListing(listing, keys)
            for ref in workers { await self.slots.slot(of: ref)?.take(listing.bound[ref], at: listing.revision) }
        } changed: { events in
            for event in events {
                guard case .bound(let ref) = keys.worker(event.key), let slot = self.slots.slot(of: ref) else {
                    continue
                }
                do throws(StoreError) {
                    await slot.take(try event.binding, at: event.revision)
                } catch {
                    self.environment.log.error("a binding cannot be read", ["error": .text(error)])
                }
            }
        }
    }
}

extension WatchEvent {
    /// What was put; nil for a deletion.
    fileprivate var binding: Stored<Binding>? {
        get throws(StoreError) {
            guard case .put(let pair, _) = self else { return nil }
            return try Codec.decode(pair)
        }
    }
}
