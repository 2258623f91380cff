internal import Etcd
package import ServiceKit
internal import SubstrateModel
package import SubstrateStore
internal import Synchronization

/// The agent of a node: offers its workers under one lease, and runs actors on them.
package final class NodeAgent: Sendable {
    let options: NodeOptions
    let store: Store
    let runtime: any Runtime
    let watchdog: any Watchdog
    let environment: Environment
    let bootID: String
    let directoryID: String
    let slots: WorkerSlots
    let readiness: Readiness
    let health: LoopHealth
    let drain: NodeDrain
    let addresses: ActorAddresses
    let metrics: NodeMetrics
    private let held = Mutex<LeaseClock?>(nil)

    /// - Parameters:
    ///   - slots: filled with the registered workers, for the services.
    ///   - watchdog: freezes the runtime's actors when the agent cannot.
    ///   - bootID: the kernel's.
    ///   - directoryID: of the locked state directory.
    ///   - addressLedger: of the same directory.
    ///   - readiness: set while every worker is registered.
    ///   - drain: where the agent is told to stop after a drain.
    package init(
        options: NodeOptions, slots: WorkerSlots, store: Store, runtime: any Runtime, watchdog: any Watchdog,
        environment: Environment, bootID: String, directoryID: String, addressLedger: any AddressLedger,
        readiness: Readiness = Readiness(), drain: NodeDrain? = nil, metrics: NodeMetrics = NodeMetrics()
    ) {
        self.metrics = metrics
        addresses = ActorAddresses(options.addresses, rest: options.addressRest, ledger: addressLedger)
        self.drain = drain ?? NodeDrain(environment: environment)
        self.options = options
        self.slots = slots
        self.store = store
        self.runtime = runtime
        self.watchdog = watchdog
        self.environment = environment
        self.bootID = bootID
        self.directoryID = directoryID
        self.readiness = readiness
        health = LoopHealth(limit: options.progressLimit, clock: environment.clock)
    }

    /// Runs until it is told to stop and its workers are drained, or until the task is cancelled; then kills the actors and
    /// withdraws the workers.
    /// - Throws: `RegistrationError` when another agent holds one of the names and does not go away; `WatchdogError` when
    ///   there is no watchdog to be had; what `Runtime.killLeftovers` and the ledger of addresses throw.
    package func run() async throws {
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
            // An earlier agent's watchdog may still be killing what we would start.
            try await watchdog.start()
            try await runtime.killLeftovers()
            try await addresses.begin(environment)
            await runtime.localSnapshotStore.removeUnfinished()
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
            let hold = LeaseHold(duration: lease.timeToLive - options.leaseMargin, sinceSent: sinceGrant)
            guard await watchdog.begin(hold) else { continue }
            let held = HeldLease(lease: lease, margin: options.leaseMargin, clock: LeaseClock(hold))
            try await serve(under: held, sinceGrant, generation)
        }
    }

    /// Offers the workers until the lease is lost, etcd is of another generation, or the task is cancelled.
    private func serve(under held: HeldLease, _ sinceGrant: Stopwatch, _ generation: Generation?) async throws {
        environment.log.info(
            "offering workers",
            [
                "node": .string(options.node), "pool": .text(options.pool),
                "workers": .integer(Int64(options.workerCount)),
                "lease": .text(held.lease.id),
            ])
        self.held.withLock { $0 = held.clock }
        defer {
            self.held.withLock { $0 = nil }
            held.clock.lose()
        }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.keep(held, sinceGrant: sinceGrant) }
                group.addTask {
                    guard let reason = await self.watchdog.waitForFailure() else { return }
                    held.clock.lose()
                    self.environment.log.error("killing all actors", ["reason": .string(reason)])
                }
                group.addTask { await self.followGeneration(generation) }
                group.addTask { await self.followBindings(under: held) }
                group.addTask { await self.followDrainOrders() }
                group.addTask { await self.collectLocalSnapshots() }
                group.addTask { await self.watchRuntime() }
                group.addTask { await self.settleAddresses() }
                if let interval = self.runtime.upkeepInterval {
                    group.addTask { await self.keepUp(every: interval) }
                }
                for ref in self.options.workers { group.addTask { try await self.offer(ref, under: held) } }
                // The first to end is the loss of the lease, a new generation, or an error.
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch is CancellationError {
        }
        // The actors are dead by now, so the workers may go at once.
        await uncancelled { [store] in
            await EtcdDeadline.$current.withValue(.now + .seconds(1)) { try? await store.etcd.revoke(held.lease.id) }
        }
    }

    /// Of the lease that is held now.
    var leaseClock: LeaseClock? { held.withLock { $0 } }

    /// Counts the runtime among the loops that have to make progress.
    private func watchRuntime() async {
        await health.watching("runtime") { beat in
            while !Task.isCancelled {
                await runtime.answer()
                if Task.isCancelled { return }
                beat(nil)
                try? await environment.clock.sleep(for: health.interval)
            }
        }
    }

    private func keepUp(every interval: Duration) async {
        while !Task.isCancelled {
            try? await environment.clock.sleep(for: interval)
            await runtime.keepUp()
        }
    }

    private func settleAddresses() async {
        while !Task.isCancelled {
            try? await environment.clock.sleep(for: options.addressRest)
            await addresses.settle(environment.log)
        }
    }

    private func followBindings(under held: HeldLease) async {
        let keys = store.keys
        let workers = Set(options.workers)
        func take(_ binding: Stored<Binding>?, of ref: WorkerRef, at revision: Int64) {
            held.bindings.note(binding, of: ref, at: revision)
            slots.slot(of: ref)?.take(binding, at: revision)
        }
        await follow(keys.bindings(in: options.pool), of: store.etcd, environment) { listing in
            let listing = WorkerListing(listing, keys)
            for ref in self.options.workers { take(listing.bound[ref], of: ref, at: listing.revision) }
        } changed: { events in
            for event in events {
                guard case .bound(let ref) = keys.worker(event.key), workers.contains(ref) else { continue }
                do throws(StoreError) {
                    take(try event.row(), of: ref, at: event.revision)
                } catch {
                    self.environment.log.error("a binding cannot be read", ["error": .text(error)])
                }
            }
        }
    }
}
