import ControlPlane
import Etcd
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Two replicas, of which one lags behind or has lost its lease.
@Suite struct TwoReplicaTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }

    init() async throws { cluster = try await TestCluster(TestEtcd.store()) }

    /// A second replica of the control plane, with what it sees of etcd.
    private func secondReplica() -> (control: ControlPlane, etcd: InterceptedEtcd) {
        let etcd = InterceptedEtcd(fixture.store.etcd)
        let control = ControlPlane(
            store: Store(etcd: etcd, keys: fixture.store.keys), nodes: cluster.nodes, environment: .test())
        return (control, etcd)
    }

    @Test func aReplicaThatHasNotListedTheWorkersYetSuspendsAllTheSame() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            _ = try await control.resumeActor(fixture.ref("alice"))
            let (second, _) = secondReplica()
            try await running({ await second.replica.run() }) {
                try await eventually("the second replica has a lease") { second.replica.hasSession }
                let actor = try await second.suspendActor(fixture.ref("alice"))
                #expect(actor.value.state == .suspended && actor.value.lastSnapshot != nil)
                #expect(!second.inventory.isListed)
                #expect(node.runtime.running.isEmpty)
            }
        }
    }

    @Test func aReplicaWhoseWatchLagsBehindTheResumeSuspendsAllTheSame() async throws {
        try await cluster.run {
            let (second, etcd) = secondReplica()
            // It hears of the claim, and not that the actor runs.
            let keys = fixture.store.keys
            etcd.deliver { event in
                guard case .bound? = keys.worker(event.key), case .put(let pair, _) = event else { return true }
                return pair.version == 1
            }
            try await running(second.run) {
                try await eventually("the second replica works") {
                    second.replica.hasSession && second.inventory.isListed
                }
                _ = try await cluster.addNode("node", workers: 1)
                _ = try await fixture.createActor("alice")
                _ = try await control.resumeActor(fixture.ref("alice"))
                try await eventually("the second replica has heard of the claim") {
                    second.inventory.row(fixture.workerRef("node-0"))?.binding?.value.phase == .claimed
                }
                let actor = try await second.suspendActor(fixture.ref("alice"))
                #expect(actor.value.state == .suspended && actor.value.lastSnapshot != nil)
            }
        }
    }

    @Test func aReplicaThatHasHeardOfNeitherWorkerNorClaimSuspendsAllTheSame() async throws {
        try await cluster.run {
            let (second, etcd) = secondReplica()
            etcd.deliver { _ in false }
            try await running(second.run) {
                try await eventually("the second replica works") {
                    second.replica.hasSession && second.inventory.isListed
                }
                _ = try await cluster.addNode("node", workers: 1)
                _ = try await fixture.createActor("alice")
                _ = try await control.resumeActor(fixture.ref("alice"))
                #expect(second.inventory.row(fixture.workerRef("node-0")) == nil)
                let actor = try await second.suspendActor(fixture.ref("alice"))
                #expect(actor.value.state == .suspended && actor.value.lastSnapshot != nil)
            }
        }
    }

    private func lease(of name: String, _ cluster: TestCluster) async throws -> LeaseID {
        let key = cluster.store.keys.operation(cluster.fixture.ref(name))
        return try #require(try await cluster.store.etcd.range(.key(key)).pairs.first?.lease)
    }

    @Test func aLostLeaseStopsTheWorkflowAndTheNextResumeAdoptsWhatItLeft() async throws {
        var options = ControlPlaneOptions()
        options.leaseTimeToLive = .seconds(6)
        let cluster = try await TestCluster(TestEtcd.store(), options: options)
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await cluster.fixture.createActor("alice")
            let gate = Gate()
            node.runtime.beforeStart { _ in
                await gate.pass()
            }
            let ref = cluster.fixture.ref("alice")
            let resume = Task { try await cluster.control.resumeActor(ref) }
            try await gate.waitForArrival()
            try await cluster.store.etcd.revoke(try await lease(of: "alice", cluster))
            // Found out with the next renewal.
            let error = await #expect(throws: ControlError.self) { try await resume.value }
            guard case .unavailable = error else {
                Issue.record("expected unavailable, got \(String(describing: error))")
                return
            }
            gate.open()
            let actor = try await eventualValue("the new lease is there and alice adopted") {
                try? await cluster.control.resumeActor(ref)
            }
            #expect(actor.value.status == .running)
            #expect(node.runtime.started.count == 1)
        }
    }

    @Test func aClaimUnderADeadLeaseIsRefused() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 2)
            _ = try await fixture.createActor("alice")
            _ = try await fixture.createActor("bob")
            let cluster = cluster
            node.runtime.beforeStart { _ in
                try await cluster.store.etcd.revoke(try await lease(of: "alice", cluster))
            }
            _ = try? await control.resumeActor(fixture.ref("alice"))
            let error = await #expect(throws: ControlError.self) { try await control.resumeActor(fixture.ref("bob")) }
            guard case .unavailable = error else {
                Issue.record("expected unavailable, got \(String(describing: error))")
                return
            }
            #expect(try await fixture.current("bob").version == 1)
        }
    }
}
