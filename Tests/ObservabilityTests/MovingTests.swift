import ControlPlane
import Etcd
import GRPC
import Metrics
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Every metric of the control plane and of the nodes moves when what it is about happens. What a test waits for is seen by the
/// same look that counts, however short it lasts.
@Suite struct MovingTests {
    private func cluster(_ change: (inout ControlPlaneOptions) -> Void = { _ in }) async throws -> TestCluster {
        var options = TestCluster.impatient
        options.operationSweepInterval = .milliseconds(50)
        options.sweepInterval = .milliseconds(100)
        options.snapshotRetention = .zero
        options.snapshotCollectionInterval = .milliseconds(20)
        options.answerLimit = .milliseconds(300)
        change(&options)
        return try await TestCluster(TestEtcd.store(), options: options)
    }

    @Test func everyMetricOfTheControlPlaneMoves() async throws {
        let cluster = try await cluster()
        let moved = MovedMetrics(cluster.metrics)
        try await moved.looking {
            try await cluster.run {
                try await lifeOfAnActor(cluster, moved)
                try await aResumeThatWaits(cluster, moved)
                try await aLoss(cluster, moved)
                try await aConflict(cluster, moved)
                try await aNodeThatDoesNotAnswer(cluster, moved)
                try await changesThatTheWatchDoesNotTell(cluster, moved)
            }
        }
        #expect(moved.still == [])
    }

    private func lifeOfAnActor(_ cluster: TestCluster, _ moved: MovedMetrics) async throws {
        let alice = cluster.fixture.ref("alice")
        _ = try await cluster.addNode("a", workers: 2)
        _ = try await cluster.fixture.createActor("alice")
        for _ in 0..<2 {
            _ = try await cluster.control.resumeActor(alice)
            _ = try await cluster.control.suspendActor(alice)
        }
        _ = try await cluster.control.resumeActor(alice)
        _ = try await cluster.control.pauseActor(alice)
        let samples = moved.look()
        for (kind, count) in [("resume", 3.0), ("suspend", 2), ("pause", 1)] {
            #expect(samples["ate_workflow_duration_seconds_count{kind=\"\(kind)\",outcome=\"ok\"}"] == count)
        }
        try await eventually("the leader counts") {
            moved.look()["ate_actors{status=\"paused\"}"] == 1
        }
        try await eventually("the replaced snapshot is removed") {
            moved.look()["ate_snapshots_collected_total{result=\"removed\"}"] ?? 0 > 0
        }
    }

    private func aResumeThatWaits(_ cluster: TestCluster, _ moved: MovedMetrics) async throws {
        for name in ["bob", "carol", "dave"] { _ = try await cluster.fixture.createActor(name) }
        _ = try await cluster.control.resumeActor(cluster.fixture.ref("bob"))
        _ = try await cluster.control.resumeActor(cluster.fixture.ref("carol"))
        async let waiting = cluster.control.resumeActor(cluster.fixture.ref("dave"), capacityWait: .seconds(20))
        try await eventually("dave waits") {
            moved.look()["ate_capacity_queue_length"] == 1
        }
        _ = try await cluster.control.suspendActor(cluster.fixture.ref("bob"))
        #expect(try await waiting.value.status == .running)
    }

    /// A node dies while releases fail, so that the loss lasts.
    private func aLoss(_ cluster: TestCluster, _ moved: MovedMetrics) async throws {
        let node = try await cluster.addNode("b", workers: 1)
        _ = try await cluster.control.resumeActor(cluster.fixture.ref("bob"))
        cluster.etcd.beforeWrite { _ in
            throw EtcdError(
                code: .noSpace, operation: "any", endpoint: "test", text: "full", outcome: .notApplied)
        }
        cluster.stop(node)
        try await eventually("the loss is seen, and its release fails") {
            let samples = moved.look()
            return samples["ate_lost_worker_age_seconds"] ?? 0 > 0 && samples["ate_workers{state=\"lost\"}"] == 1
                && samples["ate_release_failures_total"] ?? 0 > 0
        }
        cluster.etcd.beforeWrite(nil)
        try await eventually("bob is released") {
            moved.look()["ate_releases_total{cause=\"gone\",result=\"released\"}"] == 1
        }
        let samples = moved.look()
        #expect(samples["ate_release_duration_seconds_count"] == 1)
        try await eventually("nothing is lost any more") {
            let samples = moved.look()
            return samples["ate_lost_worker_age_seconds"] == 0 && samples["ate_workers{state=\"lost\"}"] == 0
        }
    }

    private func aConflict(_ cluster: TestCluster, _ moved: MovedMetrics) async throws {
        let before = moved.look()["ate_conflicts_total"] ?? 0
        let (store, bob) = (cluster.store, cluster.fixture.ref("bob"))
        let once = Flag()
        cluster.etcd.beforeWrite { transaction in
            guard !once.isSet, transaction.conditions.contains(where: { $0.range == .key(store.keys.actor(bob)) })
            else { return }
            once.set()
            guard let actor = try await store.actor(bob) else { return }
            var changed = actor.value
            changed.workerSelector = Selector(matchLabels: ["size": "small"])
            _ = try await store.updateActor(bob, from: actor, to: changed)
        }
        _ = try await cluster.control.suspendActor(cluster.fixture.ref("dave"))
        _ = try await cluster.control.resumeActor(bob)
        cluster.etcd.beforeWrite(nil)
        // On a busy machine the leader may be in the way once more.
        let after = moved.look()["ate_conflicts_total"] ?? 0
        #expect(after > before)
        _ = try await cluster.control.suspendActor(bob)
    }

    private func aNodeThatDoesNotAnswer(_ cluster: TestCluster, _ moved: MovedMetrics) async throws {
        cluster.nodes.beforeCall { _, _ throws(NodeFailure) in
            throw NodeFailure(status: Status(code: .unavailable, message: "not reached"), receipt: nil)
        }
        await #expect(throws: ControlError.self) {
            try await cluster.control.resumeActor(cluster.fixture.ref("bob"))
        }
        cluster.nodes.beforeCall(nil)
        #expect(moved.look()["ate_bindings_revoked_total"] == 1)
        // An actor on its way that nobody has in hand: what a replica leaves that dies.
        let operation = cluster.store.keys.operation(cluster.fixture.ref("erin"))
        cluster.etcd.beforeWrite { transaction in
            guard transaction.conditions.contains(where: { $0.range == .key(operation) }) else { return }
            throw EtcdError(
                code: .noSpace, operation: "any", endpoint: "test", text: "full", outcome: .notApplied)
        }
        let worker = try await cluster.fixture.register("alone")
        _ = try await cluster.fixture.createActor("erin")
        _ = try await cluster.fixture.resuming("erin", on: worker)
        _ = try await cluster.store.etcd.transaction(Transaction().then(.delete(operation)))
        try await eventually("erin is stranded") {
            moved.look()["ate_stranded_actors"] == 1
        }
        cluster.etcd.beforeWrite(nil)
    }

    private func changesThatTheWatchDoesNotTell(_ cluster: TestCluster, _ moved: MovedMetrics) async throws {
        cluster.etcd.deliver { event in !cluster.store.keys.isWorker(event.key) }
        let before = moved.look()["ate_watch_missed_changes_total"] ?? 0
        _ = try await cluster.fixture.register("silent")
        try await eventually("a listing tells of it") {
            moved.look()["ate_watch_missed_changes_total"] ?? 0 > before
        }
        cluster.etcd.deliver(nil)
    }

    @Test func everyMetricOfANodeMoves() async throws {
        let cluster = try await cluster()
        let moved = MovedMetrics(cluster.nodeMetrics)
        try await moved.looking {
            try await cluster.run {
                let node = try await cluster.addNode(
                    "a", workers: 1, leaseTimeToLive: .seconds(3), progressLimit: .seconds(2))
                _ = try await cluster.fixture.createActor("alice")
                let alice = cluster.fixture.ref("alice")
                _ = try await cluster.control.resumeActor(alice)
                try await eventually("it is seen to run") { moved.look()["ate_node_actors"] == 1 }
                _ = try await cluster.control.suspendActor(alice)
                try await eventually("its size is noted") {
                    moved.look()["ate_node_snapshot_bytes_sum{kind=\"external\"}"]
                        == Double(TestCluster.snapshotBytes)
                }
                _ = try await cluster.control.resumeActor(alice)
                node.runtime.die(try #require(node.runtime.running.first))
                try await eventually("the worker is registered anew") {
                    moved.look()["ate_node_registrations_ended_total{reason=\"anew\"}"]
                        == 1
                }
                let blocked = Flag()
                node.runtime.beforeAnswer { try? await eventually("the test goes on") { blocked.isSet } }
                try await eventually("a part of it hangs") {
                    moved.look()["ate_node_hung_loops"] == 1
                }
                blocked.set()
                cluster.nodeEtcd.cutOff()
                try await eventually("the lease lapses") {
                    moved.look()["ate_node_lease_lapses_total"] ?? 0 > 0
                }
                try await eventually("the lease is gone") {
                    try await cluster.store.presence(of: cluster.fixture.workerRef("a-0")) == nil
                }
                cluster.nodeEtcd.reconnect()
                try await eventually("the node finds that out") {
                    moved.look()["ate_node_leases_lost_total"] ?? 0 > 0
                }
            }
        }
        #expect(moved.still == [])
    }
}

extension Keys {
    fileprivate func isWorker(_ key: Key) -> Bool { worker(key) != nil }
}
