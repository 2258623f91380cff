internal import Etcd
internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

extension NodeAgent {
    /// Follows what operators want drained in the pool.
    func followDrainOrders() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watchDrainOrders() }
            group.addTask { await self.sweepDrainOrders() }
        }
    }

    /// Servers have lost delete events: an order that was taken back must not keep its workers out of use.
    private func sweepDrainOrders() async {
        while true {
            do { try await environment.clock.sleep(for: Self.drainSweepInterval) } catch { return }
            guard let listing = try? await store.etcd.list(store.keys.drains(in: options.pool)) else { continue }
            drain.take(Set(listing.pairs.compactMap { store.keys.drainTarget($0.key) }), at: listing.revision)
        }
    }

    private static let drainSweepInterval: Duration = .seconds(30)

    private func watchDrainOrders() async {
        let store = store
        await follow(store.keys.drains(in: options.pool), of: store.etcd, environment) { listing in
            self.drain.take(store.drainOrders(listing))
        } changed: { events in
            for event in events {
                guard let target = store.keys.drainTarget(event.key) else { continue }
                self.drain.take(try? event.row(), of: target)
            }
        }
    }

    /// Drains a registered worker whenever that is wanted, until the task is cancelled: says so in its presence, upon which
    /// nobody claims it any more and the control plane suspends its actor, and has it registered anew, without its actor,
    /// when the grace period is over and the worker is still bound.
    ///
    /// Level-triggered: what is wanted, what the presence says and what is bound are looked at again after every change and,
    /// because servers have lost delete events, every few seconds.
    func followDrain(of slot: WorkerSlot, under lease: LeaseID) async {
        var presence = slot.presence
        var backoff = Backoff(from: .milliseconds(50), to: .seconds(1))
        // Nobody knows what became of the last mark; it may yet land. Another one makes sure.
        var isUnsure = false
        while !Task.isCancelled {
            let version = drain.version
            let news = slot.bindingSeenAt
            let demand = drain.demand(of: slot.ref, on: options.node)
            // Before the mark goes: from then on it can be claimed.
            if demand == nil { drain.note(slot.presence.value.uid, isVacated: false) }
            var pause: Duration?
            if isUnsure || presence.value.drainingUntilMilliseconds != demand?.untilMilliseconds {
                do throws(StoreError) {
                    guard let marked = try await mark(slot.ref, presence, demand, lease) else {
                        return slot.end(.anew, because: "its presence is gone")
                    }
                    presence = marked
                    isUnsure = false
                    backoff.reset()
                } catch {
                    isUnsure = true
                    if Task.isCancelled { return }
                    environment.log.warning(
                        "cannot mark a worker, will try again", ["worker": .text(slot.ref), "error": .text(error)])
                    pause = environment.chance.jittered(backoff.pause())
                }
            }
            if let demand {
                // Since the mark nobody can have claimed it.
                let isVacated = !isUnsure && presence.value.isDraining ? await isUnbound(slot) : false
                drain.note(slot.presence.value.uid, isVacated: isVacated)
                if !isVacated {
                    let left = demand.left
                    if left <= .zero {
                        slot.end(.anew, because: "it drains and its grace period is over")
                        return
                    }
                    pause = min(pause ?? Self.drainCheckInterval, left)
                }
            }
            await wait(for: slot, since: news, version, atMost: pause)
        }
    }

    /// How often a draining worker's binding is read although no event has told of a change.
    private static let drainCheckInterval: Duration = .seconds(5)

    private func mark(
        _ ref: WorkerRef, _ presence: Stored<Presence>, _ demand: NodeDrain.Demand?, _ lease: LeaseID
    ) async throws(StoreError) -> Stored<Presence>? {
        let marked = try await store.mark(
            ref, presence, drainingUntilMilliseconds: demand?.untilMilliseconds, lease: lease)
        if marked != nil {
            environment.log.info(
                demand == nil ? "the worker takes actors again" : "draining a worker",
                [
                    "worker": .text(ref),
                    "milliseconds left": .integer(Int64((demand?.left ?? .zero) / .milliseconds(1))),
                ])
        }
        return marked
    }

    /// Whether no actor has this registration of the worker, by a linearizable read.
    private func isUnbound(_ slot: WorkerSlot) async -> Bool {
        do throws(StoreError) {
            return try await store.binding(of: slot.ref)?.value.incarnation != slot.presence.incarnation
        } catch {
            // Without an answer it may be bound.
            return false
        }
    }

    private func wait(for slot: WorkerSlot, since news: Int64, _ version: Int, atMost pause: Duration?) async {
        await withTaskGroup { group in
            group.addTask { await self.drain.waitForChange(since: version) }
            group.addTask { await slot.waitForBinding(since: news) }
            if let pause { group.addTask { try? await self.environment.clock.sleep(for: pause) } }
            await group.next()
            group.cancelAll()
        }
    }
}

extension WorkerSlot {
    /// The revision at which something of the binding was last shown.
    fileprivate var bindingSeenAt: Int64 { state.withLock { $0.bindingSeenAt } }

    /// Waits until something of the binding is shown at another revision, or until the task is cancelled.
    fileprivate func waitForBinding(since revision: Int64) async {
        for await _ in bindingNews.changes where bindingSeenAt != revision { return }
    }
}
