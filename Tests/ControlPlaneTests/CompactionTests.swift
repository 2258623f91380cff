import Etcd
import LocalCluster
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@testable import ControlPlane

/// The history is compacted away under the watch. Each test has a server of its own.
@Suite struct CompactionTests {
    /// Between the listing of the workers and the watch from there, the worker dies; then `compact` happens.
    private func release(
        sweepInterval: Duration, log: LogRecorder,
        compact: @escaping @Sendable (LocalEtcd, _ death: Int64) async throws -> Void
    ) async throws {
        try await TestEtcd.withServer { server in
            let store = Store(etcd: server.client())
            let fixture = try await StoreFixture(store)
            let worker = try await fixture.register("worker")
            _ = try await fixture.createActor("alice")
            try await fixture.running("alice", on: worker)
            let etcd = InterceptedEtcd(store.etcd)
            let once = Once()
            etcd.beforeWatch { _, _ in
                guard once.isFirst() else { return }
                try await store.etcd.revoke(worker.lease)
                try await compact(server, try await store.etcd.range(.key("nothing")).revision)
            }
            let syncer = WorkerPoolSyncer(
                store: Store(etcd: etcd, keys: store.keys),
                inventory: WorkerInventory(keys: store.keys, environment: .test()), environment: .test(log: log.log),
                sweepInterval: sweepInterval)
            try await running(syncer.runAndRelease) {
                try await eventually("alice is released") {
                    try await fixture.current("alice").value.state == .suspended
                }
            }
        }
    }

    @Test func aCompactionUnderTheWatchLeadsToAListingThatFindsTheLostWorker() async throws {
        let log = LogRecorder()
        // No sweep helps here.
        try await release(sweepInterval: .seconds(3600), log: log) { server, _ in
            let later = try await server.client().put("something-else", [])
            try await server.client().compact(later)
        }
        #expect(log.contains(.info, "compacted under the watch"))
    }

    /// Servers before 3.4.36 lose the event of a deletion when the history is compacted at its very revision: the watch
    /// starts without an error and never tells of it. Others deliver it; the actor is released either way.
    @Test func aDeletionThatTheServerLosesInACompactionIsCaughtByTheSweep() async throws {
        try await release(sweepInterval: .milliseconds(50), log: LogRecorder()) { server, death in
            try await server.client().compact(death)
        }
    }

    // MARK: The leader compacts

    @Test func nothingIsCompactedUnlessItIsSwitchedOn() { #expect(ControlPlaneOptions().compaction == nil) }

    @Test func onlyHistoryIsCompactedThatTheLeaderHasSeenForLongEnough() async throws {
        let store = try await TestEtcd.store()
        let clock = ManualClock()
        let compacted = Collected<(revision: Int64, at: Int)>()
        let minute = Shared(0)
        let compaction = Compaction(retention: .seconds(480)) { compacted.append((revision: $0, at: minute.current)) }
        var environment = Environment.test()
        environment.clock = clock
        try await running({ [environment] in await compaction.run(store, environment) }) {
            var latest: [Int64] = []
            for now in 1...40 {
                try await eventually("it sleeps") { clock.sleepers == 1 }
                _ = try await store.etcd.transaction(Transaction().then(.put(store.keys.generation, [])))
                latest.append(try await store.etcd.range(.key(store.keys.generation)).revision)
                minute.withLock { $0 = now }
                clock.advance(by: .seconds(60))
            }
            try await eventually("it sleeps") { clock.sleepers == 1 }
            let all = compacted.all
            #expect(all.count == 32)
            for (revision, at) in all {
                // What was the latest eight minutes before; others write to this server, too.
                #expect(revision >= latest[at - 9])
                #expect(at == 40 || revision < latest[at - 7])
            }
            #expect(all.map(\.revision) == all.map(\.revision).sorted())
        }
    }

    @Test func aRevisionThatStaysTheLatestIsCompactedOnce() {
        let clock = ManualClock()
        var history = RevisionHistory()
        for (revision, time) in [(5, 0), (5, 10), (7, 20), (9, 30)] {
            clock.advance(by: .seconds(time) - clock.now.offset)
            history.note(Int64(revision), clock.stopwatch())
        }
        #expect(history.takeNewest(olderThan: .seconds(31)) == nil)
        #expect(history.takeNewest(olderThan: .seconds(30)) == 5)
        #expect(history.takeNewest(olderThan: .seconds(30)) == nil)
        #expect(history.takeNewest(olderThan: .zero) == 9)
        #expect(history.takeNewest(olderThan: .zero) == nil)
    }

    @Test func actorsGoOnAndListingsEndWhileTheLeaderCompactsAllTheTime() async throws {
        try await TestEtcd.withServer { server in
            let client = server.client()
            var options = TestCluster.impatient
            options.compaction = Compaction(retention: .milliseconds(40)) { try await client.compact($0) }
            let cluster = try await TestCluster(Store(etcd: client), options: options)
            let first = try await client.range(.key("nothing")).revision
            for index in 0..<20 { _ = try await cluster.fixture.createActor("actor-\(index)") }
            try await cluster.run {
                _ = try await cluster.addNode("a", workers: 4)
                for index in 0..<20 {
                    let ref = cluster.fixture.ref("actor-\(index)")
                    _ = try await cluster.control.resumeActor(ref)
                    _ = try await cluster.control.suspendActor(ref)
                    #expect(try await client.list(cluster.store.keys.actors, pageSize: 3).pairs.count == 20)
                }
                try await eventually("the beginning is forgotten") {
                    try await !cluster.store.keepsHistory(since: first)
                }
                // The watches have not missed anything.
                try await eventually("all workers are free") {
                    cluster.control.inventory.freeCount(in: cluster.fixture.pool.ref) == 4
                }
            }
        }
    }
}
