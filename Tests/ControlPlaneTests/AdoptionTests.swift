import ControlPlane
import Etcd
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// What a dead replica leaves, an actor in a transitional state and no operation, is brought to an end by the leader.
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

    /// The actor once it is in a stable state and nobody has it in hand.
    private func settled(_ name: String) async throws -> Stored<Actor> {
        try await eventualValue("\(name) is in a stable state") {
            let rows = try await fixture.store.rows(fixture.ref(name), on: nil)
            guard let actor = rows.actor, rows.operation == nil else { return nil }
            return actor.value.state.isTransitional ? nil : actor
        }
    }

    @Test func aNodeThatDoesNotAnswerHoldsUpNoOperationButItsOwn() async throws {
        var options = TestCluster.impatient
        options.operationSweepInterval = .milliseconds(50)
        let cluster = try await TestCluster(TestEtcd.store(), options: options)
        let fixture = cluster.fixture
        try await cluster.run {
            let (silent, good) = (
                try await cluster.addNode("silent", workers: 1), try await cluster.addNode("good", workers: 1)
            )
            // Of this replica, in no hand: proposals that landed late. The first by name is that on the silent node.
            for (name, node) in [("alice", silent), ("bob", good)] {
                let worker = try presence(node)
                _ = try await fixture.createActor(name)
                if name == "alice" { cluster.nodes.remove("silent") }
                var operation = fixture.operation(.resume)
                operation.owner = cluster.control.replica.id
                _ = try await fixture.store.claim(
                    fixture.ref(name), try await fixture.current(name), worker: worker.ref, presence: worker.presence,
                    operation: operation, lease: try await fixture.lease())
            }
            try await eventually("bob's is brought to its end") {
                let rows = try await fixture.store.rows(fixture.ref("bob"), on: nil)
                return rows.operation == nil && rows.actor?.value.state == .suspended
            }
            #expect(try await fixture.store.rows(fixture.ref("alice"), on: nil).operation != nil)
        }
    }

    @Test func aResumeThatNeverReachedTheNodeIsUndone() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming("alice", on: try presence(node))
            try await abandon(claim)
            #expect(try await settled("alice").value.state == .suspended)
            #expect(node.runtime.started.isEmpty)
            // What the dead replica claimed never starts any more.
            _ = try await control.resumeActor(fixture.ref("alice"))
            #expect(try #require(node.runtime.started.first) > claim.binding.epoch)
        }
    }

    @Test func aResumeThatHadStartedTheActorIsConfirmed() async throws {
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
            #expect(try await settled("alice").value.status == .running)
            #expect(node.runtime.started == [claim.binding.epoch])
        }
    }

    @Test func aSuspendWhoseSnapshotWasWrittenIsFinished() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            _ = try await control.resumeActor(fixture.ref("alice"))
            let claim = try await fixture.suspending("alice", on: try presence(node), nonce: "written")
            let slot = try #require(node.slots.all.first)
            let snapshot = try #require(claim.actor.value.state.inProgressSnapshot)
            _ = try await slot.checkpoint(to: snapshot, claim.fences)
            try await abandon(claim)
            let actor = try await settled("alice")
            #expect(actor.value.state == .suspended)
            #expect(actor.value.lastSnapshot.map(Snapshot.external) == snapshot)
        }
    }

    @Test func aSuspendThatNeverReachedTheNodeIsTakenBack() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            _ = try await control.resumeActor(fixture.ref("alice"))
            let claim = try await fixture.suspending("alice", on: try presence(node), nonce: "never-written")
            try await abandon(claim)
            let actor = try await settled("alice")
            #expect(actor.value.status == .running && actor.value.lastSnapshot == nil)
            #expect(node.runtime.running == [claim.binding.epoch])
        }
    }

    @Test func aCallerWhoComesAtTheSameTimeIsToldToTryAgainOrServed() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            for number in 0..<10 {
                let name = "actor-\(number)"
                _ = try await fixture.createActor(name)
                let claim = try await fixture.resuming(name, on: try presence(node))
                try await abandon(claim)
                do throws(ControlError) {
                    let actor = try await control.resumeActor(fixture.ref(name))
                    #expect(actor.value.status == .running)
                } catch {
                    guard case .operationInProgress = error else { throw error }
                }
                _ = try await settled(name)
                _ = try await control.suspendActor(fixture.ref(name))
            }
        }
    }
}
