import ControlPlane
import Etcd
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// What a dead replica leaves: an actor in a transitional state, and no operation.
@Suite struct AdoptionTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }

    init() async throws { cluster = try await TestCluster(TestEtcd.store()) }

    private func abandon(_ claim: Claim) async throws {
        _ = try await fixture.store.etcd.transaction(
            Transaction().then(.delete(fixture.store.keys.operation(claim.ref))))
    }

    private func presence(_ node: TestCluster.Node) throws -> StoreFixture.Worker {
        let slot = try #require(node.slots.all.first)
        return StoreFixture.Worker(ref: slot.ref, presence: slot.presence, lease: LeaseID(1))
    }

    @Test func aResumeAdoptsAnAbandonedResumeThatNeverReachedTheNode() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming("alice", on: try presence(node))
            try await abandon(claim)
            let actor = try await control.resumeActor(fixture.ref("alice"))
            #expect(actor.value.status == .running)
            #expect(node.runtime.started.count == 1)
            // The claim of the dead replica was undone; this one is another.
            #expect(try #require(node.runtime.started.first) > claim.binding.epoch)
        }
    }

    @Test func aResumeAdoptsAnAbandonedResumeThatHadStartedTheActor() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming("alice", on: try presence(node))
            let workload = Workload(
                actor: claim.ref, actorUID: "uid-alice", template: fixture.template.ref,
                containers: fixture.template.containers)
            let slot = try #require(node.slots.all.first)
            _ = try await slot.start(workload, from: nil, claim.fences)
            try await abandon(claim)
            let actor = try await control.resumeActor(fixture.ref("alice"))
            #expect(actor.value.status == .running)
            #expect(node.runtime.started == [claim.binding.epoch])
        }
    }

    @Test func aSuspendAdoptsAnAbandonedSuspendWhoseSnapshotWasWritten() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            _ = try await control.resumeActor(fixture.ref("alice"))
            let claim = try await fixture.suspending("alice", on: try presence(node), nonce: "written")
            let slot = try #require(node.slots.all.first)
            let snapshot = try #require(claim.actor.value.state.inProgressSnapshot)
            _ = try await slot.checkpoint(to: snapshot, claim.fences)
            try await abandon(claim)
            let actor = try await control.suspendActor(fixture.ref("alice"))
            #expect(actor.value.state == .suspended)
            #expect(actor.value.lastSnapshot.map(Snapshot.external) == snapshot)
        }
    }

    @Test func aSuspendAdoptsAnAbandonedSuspendThatNeverReachedTheNode() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            _ = try await control.resumeActor(fixture.ref("alice"))
            let claim = try await fixture.suspending("alice", on: try presence(node), nonce: "never-written")
            try await abandon(claim)
            let actor = try await control.suspendActor(fixture.ref("alice"))
            #expect(actor.value.state == .suspended)
            // Back to running first, then suspended by this replica.
            #expect(actor.value.lastSnapshot.map(Snapshot.external) != claim.actor.value.state.inProgressSnapshot)
            #expect(actor.value.lastSnapshot != nil)
        }
    }
}
