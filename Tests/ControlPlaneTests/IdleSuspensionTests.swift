import ControlPlane
import Etcd
import GRPC
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Actors that nobody asks for are suspended, and those that serve are not (B27).
@Suite struct IdleSuspensionTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }

    init() async throws {
        var options = TestCluster.impatient
        options.idleCheckInterval = .milliseconds(10)
        cluster = try await TestCluster(TestEtcd.store(), options: options)
    }

    /// A running actor of a template with this timeout.
    private func run(_ name: String, idleTimeout: Duration?) async throws -> Assignment {
        var template = fixture.template
        template.ref.name = "template-of-\(name)"
        template.idleTimeout = idleTimeout
        _ = try await fixture.store.createTemplate(template)
        _ = try await fixture.store.createActor(fixture.ref(name), Actor(uid: "uid-\(name)", template: template.ref))
        return try #require(try await control.resumeActor(fixture.ref(name)).value.state.assignment)
    }

    private func becomes(_ name: String, _ status: ActorStatus) async throws -> Actor {
        try await eventualValue("\(name) is \(status.rawValue)") {
            let actor = try await fixture.current(name).value
            return actor.status == status ? actor : nil
        }
    }

    private func status(_ name: String) async throws -> ActorStatus { try await fixture.current(name).value.status }

    @Test func anIdleActorIsSuspendedAndTheNextRequestResumesIt() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            _ = try await run("alice", idleTimeout: .milliseconds(50))
            let actor = try await becomes("alice", .suspended)
            #expect(actor.lastSnapshot != nil && actor.lastRecovery == nil)
            _ = try await control.resumeActor(fixture.ref("alice"))
            #expect(node.runtime.origins == [nil, actor.lastSnapshot])
        }
    }

    @Test func anActorThatSomebodyIsConnectedToIsNotSuspended() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 2)
            let alice = try await run("alice", idleTimeout: .milliseconds(20))
            node.runtime.connect(to: [try #require(alice.address)])
            _ = try await run("bob", idleTimeout: .milliseconds(500))
            // As long as it took for bob, and alice has less time.
            _ = try await becomes("bob", .suspended)
            #expect(try await status("alice") == .running)
            node.runtime.connect(to: [])
            _ = try await becomes("alice", .suspended)
        }
    }

    @Test func withoutATimeoutNobodyIsAskedOrSuspended() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 2)
            _ = try await run("alice", idleTimeout: nil)
            _ = try await control.resumeActor(fixture.ref("alice"))
            #expect(cluster.nodes.activityQuestions == 0)
            _ = try await run("bob", idleTimeout: .milliseconds(20))
            _ = try await becomes("bob", .suspended)
            #expect(try await status("alice") == .running)
            #expect(cluster.nodes.servedWorkers.isEmpty)
        }
    }

    /// Alice was idle when the leader asked, and then something happens that the node finds out.
    private func runsOn(
        _ name: String, when happening: @escaping @Sendable (TestCluster.Node, Assignment) -> Void, at place: Place
    ) async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let alice = try await run("alice", idleTimeout: .milliseconds(20))
            let refused = Tally()
            cluster.nodes.beforeCall { call, _ throws(NodeFailure) in
                guard call == "checkpoint" else { return }
                refused.add()
                if place == .beforeTheCheckpoint { happening(node, alice) }
            }
            node.runtime.beforeCheckpoint { if place == .whileTheSnapshotIsWritten { happening(node, alice) } }
            try await eventually("the leader has tried") { refused.count == 1 }
            let actor = try await becomes("alice", .running)
            #expect(actor.lastSnapshot == nil && actor.state.assignment == alice)
            #expect(node.runtime.started.count == 1 && node.runtime.running.count == 1)
        }
    }

    private enum Place { case beforeTheCheckpoint, whileTheSnapshotIsWritten }

    @Test func aRequestBetweenTheQuestionAndTheCheckpointMakesTheNodeRefuse() async throws {
        try await runsOn(
            "alice", when: { $0.runtime.connect(to: Set([$1.address].compactMap { $0 })) }, at: .beforeTheCheckpoint)
    }

    @Test func aRequestWhileTheSnapshotIsWrittenMakesTheNodeRefuse() async throws {
        try await runsOn(
            "alice", when: { $0.runtime.connect(to: Set([$1.address].compactMap { $0 })) },
            at: .whileTheSnapshotIsWritten)
    }

    @Test func aRequestThatAnyReplicaHasSeenCounts() async throws {
        var options = TestCluster.impatient
        options.idleCheckInterval = .seconds(3600)
        let other = ControlPlane(
            store: fixture.store, nodes: cluster.nodes, environment: .test(), options: options)
        try await cluster.run {
            try await TestKit.running({ await other.run() }) {
                let node = try await cluster.addNode("a", workers: 1)
                let alice = try await run("alice", idleTimeout: .seconds(3600))
                try await eventually("the other replica knows the worker") {
                    other.inventory.row(alice.worker)?.binding?.value.phase == .ready && other.replica.hasSession
                }
                try await eventually("the other replica knows the template") {
                    // Each request counts, however often the template had not been seen yet.
                    _ = try await other.resumeActor(fixture.ref("alice"))
                    return cluster.nodes.servedWorkers.contains(alice.uid)
                }
                let slot = try #require(node.slots.slot(of: alice.worker))
                #expect(slot.presence.value.uid == alice.uid)
            }
        }
    }

    @Test func aNodeThatCouldNotBeToldOfARequestIsToldLater() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let alice = try await run("alice", idleTimeout: .seconds(3600))
            cluster.nodes.remove("a")
            try await eventually("it has been tried") {
                // Each request counts once the template has been seen.
                _ = try await control.resumeActor(fixture.ref("alice"))
                return cluster.log.contains(.debug, "cannot tell a node of requests")
            }
            cluster.nodes.add(node.slots, at: "a")
            try await eventually("the node hears of it") { cluster.nodes.servedWorkers.contains(alice.uid) }
        }
    }

    @Test func theNextLeaderKnowsWhoIsIdle() async throws {
        let log = LogRecorder()
        var options = TestCluster.impatient
        options.idleCheckInterval = .milliseconds(10)
        let first = ControlPlane(
            store: fixture.store, nodes: cluster.nodes, environment: .test(log: log.log), options: options)
        let leading = Task { await first.run() }
        try await eventually("the first replica leads") { log.contains(.info, "leading") }
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let alice = try await run("alice", idleTimeout: .milliseconds(100))
            node.runtime.connect(to: [try #require(alice.address)])
            try await eventually("the first has asked") { cluster.nodes.activityQuestions > 1 }
            leading.cancel()
            await leading.value
            node.runtime.connect(to: [])
            _ = try await becomes("alice", .suspended)
            try await eventually("the next leader says so") {
                cluster.log.contains(.info, "suspended an idle actor")
            }
        }
    }
}
