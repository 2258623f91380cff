import ControlPlane
import GRPC
import NodeAgent
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import Synchronization
import TestKit
import Testing

/// Nodes that fail, die or do not answer in the middle of a workflow.
@Suite struct NodeFailureTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }

    init() async throws { cluster = try await TestCluster(TestEtcd.store()) }

    @Test func aFailedStartIsUndoneOnTheNodesReceiptAndItsReasonReachesTheCaller() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            let before = try await fixture.createActor("alice")
            node.runtime.failStarts(with: RuntimeFailure(.failedPrecondition, "no such program"))
            let error = await #expect(throws: ControlError.self) { try await control.resumeActor(fixture.ref("alice")) }
            guard case .node(let failure) = error else {
                Issue.record("expected the node's reason, got \(String(describing: error))")
                return
            }
            #expect(failure.status.message == "no such program")
            #expect(failure.status.code == .failedPrecondition)
            let actor = try await fixture.currentButForItsFailure("alice")
            #expect(actor == before.value)
            #expect(try await fixture.store.listWorkers().bound.isEmpty)
            // The worker is as good as before.
            node.runtime.failStarts(with: nil)
            #expect(try await control.resumeActor(fixture.ref("alice")).value.status == .running)
        }
    }

    @Test func aLateRestoreOfAnUndoneResumeIsRefusedByTheNode() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            // The first call is delayed in the network; the control plane sees it fail without a receipt.
            let late = Late()
            cluster.nodes.beforeCall { name, fences throws(NodeFailure) in
                guard name == "run", late.isFirst(fences) else { return }
                throw NodeFailure(status: Status(code: .unavailable, message: "connection lost"), receipt: nil)
            }
            let error = await #expect(throws: ControlError.self) { try await control.resumeActor(fixture.ref("alice")) }
            guard case .node(let failure) = error else {
                Issue.record("expected the first failure, got \(String(describing: error))")
                return
            }
            #expect(failure.status.message == "connection lost")
            #expect(try await fixture.current("alice").value.state == .suspended)
            // Now the call arrives.
            let slot = try #require(node.slots.all.first)
            let fences = try #require(late.fences)
            let workload = Workload(
                actor: fixture.ref("alice"), actorUID: "uid-alice", template: fixture.template.ref,
                containers: fixture.template.containers)
            await #expect(throws: NodeFailure.self) { try await slot.start(workload, from: nil, fences) }
            #expect(node.runtime.started.isEmpty)
        }
    }

    @Test func anUpdateInTheMiddleOfAResumeIsKeptAndTheResumeGoesOn() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            let fixture = fixture
            node.runtime.beforeStart { _ in
                let actor = try await fixture.current("alice")
                #expect(actor.value.status == .resuming)
                var changed = actor.value
                changed.workerSelector = Selector(matchLabels: ["size": "small"])
                _ = try await fixture.store.updateActor(fixture.ref("alice"), from: actor, to: changed)
            }
            let actor = try await control.resumeActor(fixture.ref("alice"))
            #expect(actor.value.status == .running)
            #expect(actor.value.workerSelector.matchLabels == ["size": "small"])
        }
    }

    @Test func aWorkerThatIsLostUnderAResumeEndsIt() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            let cluster = cluster
            node.runtime.beforeStart { _ in
                cluster.stop(node)
                try await Task.sleep(for: .seconds(60))
            }
            let error = await #expect(throws: ControlError.self) { try await control.resumeActor(fixture.ref("alice")) }
            switch error {
            case .workerLost, .node: break
            default: Issue.record("expected workerLost, got \(String(describing: error))")
            }
            let released = try await eventualValue("alice is released") {
                let actor = try await fixture.current("alice")
                return actor.value.state == .suspended ? actor.value : nil
            }
            #expect(try await fixture.store.listWorkers().bound.isEmpty)
            #expect(released.lastSnapshot == nil)
        }
    }

    @Test func aFailedCheckpointPutsTheActorBackToRunning() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            let before = try await control.resumeActor(fixture.ref("alice"))
            node.runtime.failCheckpoints(with: RuntimeFailure(.internal, "disk full"))
            let error = await #expect(throws: ControlError.self) {
                try await control.suspendActor(fixture.ref("alice"))
            }
            guard case .node(let failure) = error else {
                Issue.record("expected the node's reason, got \(String(describing: error))")
                return
            }
            #expect(failure.status.message == "disk full")
            let actor = try await fixture.current("alice").value
            #expect(actor == before.value)
            #expect(node.runtime.running.count == 1)
        }
    }

    @Test func anActorThatDiesIsReleased() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            _ = try await control.resumeActor(fixture.ref("alice"))
            let old = try #require(node.slots.all.first?.presence.incarnation)
            node.runtime.die(try #require(node.runtime.running.first))
            let actor = try await eventualValue("alice is released") {
                let actor = try await fixture.current("alice")
                return actor.value.state == .suspended ? actor.value : nil
            }
            #expect(actor.lastRecovery?.statusBefore == .running)
            // The worker comes back as another incarnation.
            try await eventually("the worker is free again") {
                control.inventory.row(fixture.workerRef("node-0"))?.isFree == true
            }
            #expect(try #require(node.slots.all.first?.presence.incarnation) > old)
        }
    }

    @Test func aNodeThatGivesNoFinalAnswerIsGivenUpAndItsActorReleased() async throws {
        var options = ControlPlaneOptions()
        options.answerLimit = .milliseconds(100)
        let cluster = try await TestCluster(TestEtcd.store(), options: options)
        try await cluster.run {
            _ = try await cluster.addNode("node", workers: 1)
            _ = try await cluster.fixture.createActor("alice")
            cluster.nodes.beforeCall { _, _ throws(NodeFailure) in
                throw NodeFailure(status: Status(code: .unavailable, message: "not reached"), receipt: nil)
            }
            let error = await #expect(throws: ControlError.self) {
                try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
            }
            guard case .noAnswer = error else {
                Issue.record("expected noAnswer, got \(String(describing: error))")
                return
            }
            // The node sees the revoked binding, registers the worker anew, and the release follows.
            try await eventually("alice is released") {
                try await cluster.fixture.current("alice").value.state == .suspended
            }
            try await eventually("the worker is free again") {
                cluster.control.inventory.row(cluster.fixture.workerRef("node-0"))?.isFree == true
            }
        }
    }
}

/// Remembers the fences of the first call.
private final class Late: Sendable {
    private let first = Mutex<Fences?>(nil)

    var fences: Fences? { first.withLock { $0 } }

    func isFirst(_ fences: Fences) -> Bool {
        first.withLock { first in
            if first != nil { return false }
            first = fences
            return true
        }
    }
}
