import ControlPlane
import Etcd
import GRPC
import NodeAgent
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Pauses under which something fails: the checkpoint, the worker, the replica, or an answer of etcd.
@Suite struct PauseFailureTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }
    var alice: ActorRef { fixture.ref("alice") }

    init() async throws { cluster = try await TestCluster(TestEtcd.store()) }

    /// Alice runs after a suspend; returns what she was suspended into.
    private func runningAfterASuspend() async throws -> SnapshotURI {
        _ = try await fixture.createActor("alice")
        _ = try await control.resumeActor(alice)
        let external = try #require(try await control.suspendActor(alice).value.lastSnapshot)
        _ = try await control.resumeActor(alice)
        return external
    }

    @Test func aFailedCheckpointPutsTheActorBackToRunning() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await runningAfterASuspend()
            let before = try await fixture.current("alice")
            node.runtime.failCheckpoints(with: RuntimeFailure(.internal, "disk full"))
            let error = await #expect(throws: ControlError.self) { try await control.pauseActor(alice) }
            guard case .node(let failure) = error else {
                Issue.record("expected the node's reason, got \(String(describing: error))")
                return
            }
            #expect(failure.status.message == "disk full")
            #expect(try await fixture.current("alice").value == before.value)
            #expect(node.runtime.running.count == 1)
        }
    }

    @Test func anActorThatDiesUnderItsPauseIsSuspendedAtItsExternalSnapshot() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            let external = try await runningAfterASuspend()
            let runtime = node.runtime
            let epoch = try #require(runtime.running.first)
            runtime.failCheckpoints(with: RuntimeFailure(.failedPrecondition, "a process exited"))
            runtime.beforeCheckpoint { runtime.die(epoch) }
            await #expect(throws: ControlError.self) { try await control.pauseActor(alice) }
            let actor = try await fixture.current("alice").value
            #expect(actor.state == .suspended && actor.lastSnapshot == external && actor.localSnapshot == nil)
            #expect(try await fixture.store.listWorkers().bound.isEmpty)
        }
    }

    @Test func aWorkerThatIsLostUnderAPauseLeavesTheActorSuspendedAtItsExternalSnapshot() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            let external = try await runningAfterASuspend()
            let gate = Gate()
            node.runtime.beforeCheckpoint { await gate.pass() }
            let (control, alice) = (control, alice)
            let pause = Task { try await control.pauseActor(alice) }
            try await gate.waitForArrival()
            #expect(try await fixture.current("alice").value.status == .pausing)
            let worker = fixture.workerRef("node-0")
            let presence = try #require(try await fixture.store.presence(of: worker))
            try await fixture.store.withdraw(worker, presence.incarnation)
            let actor = try await eventualValue("alice is released") {
                let actor = try await fixture.current("alice").value
                return actor.state == .suspended ? actor : nil
            }
            // The node goes on and writes the snapshot all the same, which promotes nothing.
            gate.open()
            await #expect(throws: ControlError.self) { try await pause.value }
            try await eventually("it is written") { node.runtime.localSnapshots.all.count == 1 }
            #expect(try await fixture.current("alice").value == actor)
            #expect(actor.lastSnapshot == external && actor.localSnapshot == nil)
            #expect(actor.lastRecovery?.statusBefore == .pausing)
            #expect(try await fixture.store.listWorkers().bound.isEmpty)
        }
    }

    @Test func aWorkerThatIsLostUnderAResumeLeavesTheLocalSnapshotForTheNextOne() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 2)
            _ = try await runningAfterASuspend()
            let local = try #require(try await control.pauseActor(alice).value.localSnapshot)
            let once = Once()
            let gate = Gate()
            node.runtime.beforeStart { _ in if once.isFirst() { await gate.pass() } }
            let (control, alice) = (control, alice)
            let resume = Task { try await control.resumeActor(alice) }
            try await gate.waitForArrival()
            // As when the node registers this one worker anew.
            let worker = try #require(try await fixture.current("alice").value.state.assignment?.worker)
            let presence = try #require(try await fixture.store.presence(of: worker))
            try await fixture.store.withdraw(worker, presence.incarnation)
            let actor = try await eventualValue("alice is released") {
                let actor = try await fixture.current("alice").value
                return actor.state == .suspended ? actor : nil
            }
            gate.open()
            await #expect(throws: ControlError.self) { try await resume.value }
            #expect(actor.localSnapshot == local && actor.lastRecovery?.statusBefore == .resuming)
            let resumed = try await control.resumeActor(alice)
            #expect(resumed.value.lastFallback == nil && resumed.value.localSnapshot == nil)
            #expect(node.runtime.origins.last == node.runtime.localSnapshots.uri(of: local.name))
        }
    }

    /// The n-th write of the control plane is applied, and its answer lost.
    private func loseAnswer(toWrite number: Int) {
        let count = Counter()
        cluster.etcd.afterWrite { _ in
            guard count.next() == number else { return }
            throw EtcdError(code: .unavailable, operation: "", endpoint: "", text: "answer lost", outcome: .unknown)
        }
    }

    @Test(arguments: [0, 1]) func aLostAnswerOfEtcdChangesNothing(write: Int) async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 2)
            let external = try await runningAfterASuspend()
            loseAnswer(toWrite: write)
            let paused = try await control.pauseActor(alice)
            #expect(paused.value.state == .paused && paused.value.lastSnapshot == external)
            let local = try #require(paused.value.localSnapshot)
            #expect(try await fixture.current("alice") == paused)
            #expect(node.runtime.localSnapshots.all == [local.name])
            let listing = try await fixture.store.listWorkers()
            let operation = try await fixture.store.rows(alice, on: nil).operation
            #expect(listing.bound.isEmpty && operation == nil)
        }
    }

    @Test func aLostAnswerOfTheNodeIsAskedFor() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await runningAfterASuspend()
            let slot = try #require(node.slots.all.first)
            // The node checkpoints, and its answer does not arrive.
            let (fixture, once) = (fixture, Once())
            cluster.nodes.beforeCall { name, fences throws(NodeFailure) in
                guard name == "checkpoint", once.isFirst() else { return }
                if let snapshot = try? await fixture.current("alice").value.state.inProgressSnapshot {
                    _ = try await slot.checkpoint(to: snapshot, fences)
                }
                throw NodeFailure(status: Status(code: .unavailable, message: "connection lost"), receipt: nil)
            }
            #expect(try await control.pauseActor(alice).value.state == .paused)
            #expect(try await control.resumeActor(alice).value.lastFallback == nil)
        }
    }

    private func abandon(_ claim: Claim) async throws {
        _ = try await fixture.store.etcd.transaction(
            Transaction().then(.delete(fixture.store.keys.operation(claim.ref))))
    }

    /// A pause that a replica has begun and left, as the store has it.
    private func abandonedPause(_ node: TestCluster.Node, isWritten: Bool) async throws -> Claim {
        let slot = try #require(node.slots.all.first)
        let claim = try await fixture.pausing(
            "alice", on: StoreFixture.Worker(ref: slot.ref, presence: slot.presence, lease: LeaseID(1)))
        let snapshot = try #require(claim.actor.value.state.inProgressSnapshot)
        if isWritten { _ = try await slot.checkpoint(to: snapshot, claim.fences) }
        try await abandon(claim)
        return claim
    }

    @Test func aPauseOfADeadReplicaWhoseSnapshotIsWrittenIsFinished() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await runningAfterASuspend()
            let claim = try await abandonedPause(node, isWritten: true)
            let actor = try await eventualValue("alice is paused") {
                let actor = try await fixture.current("alice").value
                return actor.state == .paused ? actor : nil
            }
            #expect(actor.localSnapshot.map { Snapshot.local($0.name) } == claim.actor.value.state.inProgressSnapshot)
        }
    }

    @Test func aPauseOfADeadReplicaThatNeverReachedTheNodeIsTakenBack() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await runningAfterASuspend()
            let claim = try await abandonedPause(node, isWritten: false)
            try await eventually("alice is back to running") {
                try await fixture.current("alice").value.status == .running
            }
            #expect(node.runtime.running == [claim.binding.epoch])
        }
    }
}
