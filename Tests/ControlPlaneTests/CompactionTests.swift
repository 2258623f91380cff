import ControlPlane
import Etcd
import LocalCluster
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

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
}
