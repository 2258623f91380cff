internal import Etcd
internal import Metrics
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension NodeAgent {
    /// Registers a worker that passes its self-test, and again whenever it has to be, until the task is cancelled or the lease
    /// turns out to be gone.
    func offer(_ ref: WorkerRef, under held: HeldLease) async throws {
        // A worker that is to be drained never looks free.
        await drain.waitUntilListed()
        while !Task.isCancelled {
            // A self-test would be frozen.
            guard await held.clock.waitUntilGood() else { return }
            try await waitUntilFit(ref)
            // Nobody is to be sent to a node whose actors are frozen.
            guard await held.clock.waitUntilGood() else { return }
            let presence = Presence(
                uid: environment.chance.id(), node: options.node, bootID: bootID,
                directoryID: directoryID, agentAddress: options.agentAddress, routerAddress: options.routerAddress,
                labels: options.labels,
                sandboxClass: runtime.sandboxClass,
                drainingUntilMilliseconds: drain.demand(of: ref, on: options.node)?.untilMilliseconds)
            let stored: Stored<Presence>
            do {
                stored = try await register(ref, presence, held.lease.id)
            } catch StoreError.sessionLost {
                held.clock.lose()
                environment.log.error("the lease is gone: killing all actors", ["worker": .text(ref)])
                return
            }
            let slot = WorkerSlot(
                ref: ref, presence: stored, store: store, runtime: runtime, lease: held.clock, watchdog: watchdog,
                addresses: addresses, environment: environment, metrics: metrics)
            slots.insert(slot)
            held.bindings.tell(slot)
            readiness.set(held.clock.isGood && slots.all.count == options.workerCount)
            let end = await health.watching("worker \(ref)") { beat in
                await withTaskGroup { group in
                    group.addTask { await self.followDrain(of: slot, under: held.lease.id) }
                    defer { group.cancelAll() }
                    return await slot.run(every: health.interval, beat: beat)
                }
            }
            readiness.set(false)
            slots.remove(slot)
            metrics.registrations.add(1, end.label)
            drain.note(stored.value.uid, isVacated: false)
            if Task.isCancelled { return }
            try await withdraw(ref, stored.incarnation)
            if case .unfit(let reason) = end {
                environment.log.error(
                    "withdrew a worker on which nothing can be started: it comes back when a self-test passes",
                    ["worker": .text(ref), "reason": .string(reason)])
            }
        }
    }

    /// Returns when a self-test passes. Until then the worker is not offered, and the log says why.
    /// - Throws: `CancellationError`.
    private func waitUntilFit(_ ref: WorkerRef) async throws {
        var backoff = Backoff(from: .seconds(1), to: .seconds(60))
        while true {
            do throws(RuntimeFailure) {
                return try await addresses.lending { (address) throws(RuntimeFailure) in
                    try await runtime.selfTest(pod: ref.pod, address: address)
                }
            } catch {
                try Task.checkCancellation()
                environment.log.error(
                    "a worker is not offered, since its self-test fails, which will be tried again",
                    ["worker": .text(ref), "reason": .string(error.reason)])
            }
            await withdrawLeftover(ref)
            try await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
        }
    }
}
