import ControlPlane
import Etcd
import LocalCluster
import NodeAgent
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// What the steps cost in calls to etcd, counted by etcd. Each test has a server of its own.
@Suite struct RoundTripTests {
    private func withCluster(
        workers: Int, _ body: @Sendable (TestCluster, TestCluster.Node, LocalEtcd) async throws -> Void
    ) async throws {
        try await TestEtcd.withServer { etcd in
            let cluster = try await TestCluster(Store(etcd: etcd.client()))
            try await cluster.run {
                let node = try await cluster.addNode("node", workers: workers)
                try await body(cluster, node, etcd)
            }
        }
    }

    /// Calls that etcd answered during `body`.
    private func calls(_ etcd: LocalEtcd, _ body: () async throws -> Void) async throws -> EtcdMetrics {
        let before = try await EtcdMetrics.read(etcd)
        try await body()
        return try await EtcdMetrics.read(etcd) - before
    }

    @Test func aResumeTakesOneReadAndTwoWritesAndTheNodeOneRead() async throws {
        try await withCluster(workers: 2) { cluster, _, etcd in
            _ = try await cluster.fixture.createActor("alice")
            cluster.etcd.resetCounts()
            cluster.nodeEtcd.resetCounts()
            let calls = try await calls(etcd) {
                _ = try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
            }
            #expect(cluster.etcd.counts == InterceptedEtcd.Counts(ranges: 1, writeTransactions: 2))
            #expect(cluster.nodeEtcd.counts == InterceptedEtcd.Counts(ranges: 1))
            #expect(calls == EtcdMetrics(ranges: 2, transactions: 2))
        }
    }

    @Test func aSuspendTakesOneReadAndTwoWrites() async throws {
        try await withCluster(workers: 2) { cluster, _, etcd in
            _ = try await cluster.fixture.createActor("alice")
            _ = try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
            let worker = try #require(
                try await cluster.fixture.current("alice").value.state.assignment?.worker)
            try await eventually("the watch has shown the binding ready") {
                cluster.control.inventory.row(worker)?.binding?.value.phase == .ready
            }
            cluster.etcd.resetCounts()
            let calls = try await calls(etcd) {
                _ = try await cluster.control.suspendActor(cluster.fixture.ref("alice"))
            }
            #expect(cluster.etcd.counts == InterceptedEtcd.Counts(ranges: 1, writeTransactions: 2))
            #expect(calls == EtcdMetrics(ranges: 1, transactions: 2))
        }
    }

    @Test func aPauseTakesOneReadAndTwoWritesAndAResumeFromItNoMoreThanAnyOther() async throws {
        try await withCluster(workers: 2) { cluster, _, etcd in
            _ = try await cluster.fixture.createActor("alice")
            _ = try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
            cluster.etcd.resetCounts()
            let pause = try await calls(etcd) {
                _ = try await cluster.control.pauseActor(cluster.fixture.ref("alice"))
            }
            #expect(cluster.etcd.counts == InterceptedEtcd.Counts(ranges: 1, writeTransactions: 2))
            #expect(pause == EtcdMetrics(ranges: 1, transactions: 2))
            cluster.etcd.resetCounts()
            _ = try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
            #expect(cluster.etcd.counts == InterceptedEtcd.Counts(ranges: 1, writeTransactions: 2))
        }
    }

    @Test func aSuspendRightAfterAResumeCostsNoMore() async throws {
        // The binding's last revision may not have come over the watch; the resume knows it all the same.
        try await withCluster(workers: 2) { cluster, _, _ in
            _ = try await cluster.fixture.createActor("alice")
            for _ in 0..<20 {
                _ = try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
                cluster.etcd.resetCounts()
                _ = try await cluster.control.suspendActor(cluster.fixture.ref("alice"))
                #expect(
                    cluster.etcd.counts == InterceptedEtcd.Counts(ranges: 1, writeTransactions: 2))
            }
        }
    }

    @Test func releasingAHundredLostWorkersTakesFourWrites() async throws {
        try await withCluster(workers: 100) { cluster, node, etcd in
            let names = (0..<100).map { "actor-\($0)" }
            for name in names {
                _ = try await cluster.fixture.createActor(name)
                _ = try await cluster.control.resumeActor(cluster.fixture.ref(name))
            }
            try await eventually("the watch has shown every binding") {
                node.slots.all.allSatisfy { cluster.control.inventory.row($0.ref)?.binding?.value.phase == .ready }
            }
            try await eventually("the leader has seen every row") {
                cluster.control.lifecycle.census?.counts[.running] == names.count
            }
            cluster.etcd.resetCounts()
            let revision = try await cluster.store.etcd.range(.key("nothing")).revision
            let calls = try await calls(etcd) {
                // All at once, as when their node's lease ends.
                cluster.stop(node)
                for name in names {
                    try await eventually("\(name) is released") {
                        try await cluster.fixture.current(name).value.state == .suspended
                    }
                }
            }
            #expect(cluster.etcd.counts == InterceptedEtcd.Counts(writeTransactions: 4))
            // The end of the lease, and four commits.
            let after = try await cluster.store.etcd.range(.key("nothing")).revision
            #expect(after - revision == 5)
            #expect(calls.transactions == 4)
        }
    }

    @Test func resumingARunningActorTakesOneRead() async throws {
        try await withCluster(workers: 1) { cluster, _, _ in
            _ = try await cluster.fixture.createActor("alice")
            _ = try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
            cluster.etcd.resetCounts()
            _ = try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
            #expect(cluster.etcd.counts == InterceptedEtcd.Counts(ranges: 1))
        }
    }
}
