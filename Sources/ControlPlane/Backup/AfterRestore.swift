internal import Etcd
package import ServiceKit
package import SubstrateModel
package import SubstrateStore

/// What has to be done once when etcd has been restored from a backup, before anything is started on it.
///
/// 1. Make sure that nobody works on the store: what was there at the time of the backup has leases, which expire when
///    nobody renews them. Somebody who renews one runs on, perhaps with actors of a history that is no more.
/// 2. Raise the generation: agents that look at the store kill all, and begin with new fences.
/// 3. Release all workers, none of which is present any more: every actor becomes SUSPENDED at its last snapshot, or stays
///    PAUSED.
///
/// Each part looks at what there is, so running it again finishes what was interrupted, and otherwise changes nothing but
/// the generation.
package struct AfterRestore: Sendable {
    private let store: Store
    private let environment: Environment
    private let leaseLimit: Duration

    /// What there is afterwards.
    package struct Report: Sendable, Equatable {
        package var generation: String
        /// How many actors were taken from a worker.
        package var released: Int
        /// How many actors there are in each status.
        package var actors: [ActorStatus: Int]
    }

    /// - Parameter leaseLimit: how long to wait for leases to expire; longer than the longest of an agent or a replica.
    package init(store: Store, environment: Environment, leaseLimit: Duration = .seconds(60)) {
        var store = store
        store.wallClock = environment.wallClock
        self.store = store
        self.environment = environment
        self.leaseLimit = leaseLimit
    }

    /// Does it.
    /// - Throws: `AfterRestoreError`, `StoreError`, `EtcdError`, `CancellationError`.
    package func run() async throws -> Report {
        try await waitUntilNobodyWorks()
        let generation = try await raiseGeneration()
        let released = try await releaseAllWorkers()
        return Report(generation: generation.id, released: released, actors: try await countActors())
    }

    private func waitUntilNobodyWorks() async throws {
        let waited = environment.clock.stopwatch()
        while true {
            let present = try await store.listWorkers().live.values.map { "the agent at \($0.value.agentAddress)" }
            let replicas = try await store.etcd.range(RangeRequest(.prefix(store.keys.replicas))).pairs.map {
                "the replica \(String(decoding: $0.value, as: UTF8.self))"
            }
            let working = Set(present + replicas).sorted()
            if working.isEmpty { return }
            guard waited.elapsed() < leaseLimit else { throw AfterRestoreError.stillWorking(working, leaseLimit) }
            try await environment.clock.sleep(for: .milliseconds(200))
        }
    }

    private func raiseGeneration() async throws -> Generation {
        while true {
            let generation = Generation(
                id: environment.chance.id(), raisedAtMilliseconds: environment.wallClock())
            // Somebody else who does the same at this moment has done as well; one of the two is the last.
            if try await store.raise(generation, over: try await store.generation()) { return generation }
            try Task.checkCancellation()
        }
    }

    /// What a leader does when all its workers are lost.
    private func releaseAllWorkers() async throws -> Int {
        let inventory = WorkerInventory(keys: store.keys, environment: environment)
        let syncer = WorkerPoolSyncer(
            store: store, inventory: inventory, environment: environment,
            policy: {
                [store] template throws(StoreError) in
                try await store.template(template)?.value.onWorkerLoss ?? .revert
            })
        let waited = environment.clock.stopwatch()
        var backoff = Backoff(from: .milliseconds(10), to: .seconds(1))
        inventory.take(try await store.listWorkers())
        let lost = inventory.lostWorkers.count
        while true {
            _ = await syncer.releaseOnce()
            inventory.take(try await store.listWorkers())
            let left = inventory.lostWorkers.map(\.ref)
            if left.isEmpty { return lost }
            guard waited.elapsed() < leaseLimit else { throw AfterRestoreError.notReleased(left) }
            try await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
        }
    }

    private func countActors() async throws -> [ActorStatus: Int] {
        var counts: [ActorStatus: Int] = [:]
        for try await page in store.etcd.pages(of: store.keys.actors) {
            for pair in page.pairs {
                counts[try Codec.decode(pair, as: Actor.self).value.status, default: 0] += 1
            }
        }
        return counts
    }
}

/// Why not everything was done that has to be done after a restore. Nothing is broken by that; it can be run again.
package enum AfterRestoreError: Error, Equatable, CustomStringConvertible {
    case stillWorking([String], Duration)
    case notReleased([WorkerRef])

    package var description: String {
        switch self {
        case .stillWorking(let who, let limit):
            "somebody still works on this etcd after \(limit): \(Self.list(who)). Stop all of ateapi and atelet, then run this "
                + "again; if none of them runs, wait longer than the longest --lease-ttl and --session-ttl with --lease-limit"
        case .notReleased(let workers):
            "the actors of some workers could not be released: \(Self.list(workers.map { "\($0)" })). The log above says "
                + "why; run this again"
        }
    }

    private static func list(_ items: [String]) -> String {
        items.prefix(5).joined(separator: ", ") + (items.count > 5 ? " and \(items.count - 5) more" : "")
    }
}
