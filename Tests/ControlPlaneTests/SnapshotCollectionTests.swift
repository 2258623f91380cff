import Etcd
import GRPC
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@testable import ControlPlane

/// What the leader removes, and what it never does.
@Suite struct SnapshotCollectionTests {
    private let cluster: TestCluster
    private let now = Shared<Int64>(1_700_000_000_000)
    private let removed = Collected<SnapshotURI>()
    private var fixture: StoreFixture { cluster.fixture }

    init() async throws {
        var options = TestCluster.impatient
        options.snapshotRetention = .zero
        options.snapshotCollectionInterval = .milliseconds(20)
        cluster = try await TestCluster(TestEtcd.store(), options: options)
        let removed = removed
        cluster.nodes.onDeletion { snapshot, _ throws(NodeFailure) in removed.append(snapshot) }
    }

    /// A control plane on the same store that does nothing by itself, with the two agents of a test.
    private func collection(retention: Duration = .seconds(3600), agents: [String] = ["a", "b"]) async throws
        -> SnapshotCollection
    {
        let now = now
        var environment = Environment.test(log: cluster.log.log)
        environment.wallClock = { now.current }
        var options = ControlPlaneOptions()
        options.snapshotRetention = retention
        let control = ControlPlane(
            store: fixture.store, nodes: cluster.nodes, environment: environment, options: options)
        for agent in agents {
            cluster.nodes.add(WorkerSlots(), at: agent)
            _ = try await fixture.register("worker-of-\(agent)", agent: agent)
        }
        control.inventory.take(try await control.store.listWorkers())
        return SnapshotCollection(control: control)
    }

    private func uri(_ nonce: String, of name: String = "alice") -> SnapshotURI {
        SnapshotURI("file:///snapshots/uid-\(name)/\(nonce)")
    }

    /// As many snapshots that alice has dropped.
    private func drop(_ count: Int) async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        for index in 0...count {
            try await fixture.running("alice", on: worker)
            try await fixture.suspended("alice", on: worker, nonce: "n\(index)")
        }
    }

    private func notes() async throws -> [SnapshotURI] {
        try await fixture.store.garbage(untilMilliseconds: .max - 1, behind: nil, limit: 10_000).dropped
            .map(\.value.snapshot)
    }

    @Test func replacedSnapshotsAreRemovedByANodeAndTheLastOneStays() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            _ = try await fixture.createActor("alice")
            var snapshots: [SnapshotURI] = []
            for _ in 0..<4 {
                _ = try await cluster.control.resumeActor(fixture.ref("alice"))
                let actor = try await cluster.control.suspendActor(fixture.ref("alice"))
                snapshots.append(try #require(actor.value.lastSnapshot))
            }
            try await eventually("the first three are removed") { removed.all.count >= 3 }
            try await eventually("nothing is noted any more") { try await notes().isEmpty }
            #expect(Set(removed.all) == Set(snapshots.dropLast()))
            // The last one goes with its actor.
            let alice = try await fixture.current("alice")
            #expect(alice.value.lastSnapshot == snapshots.last)
            try await cluster.control.store.deleteActor(fixture.ref("alice"), alice)
            try await eventually("the last is removed") { removed.all.contains(snapshots[3]) }
            try await eventually("the log says so") {
                cluster.log.contains(.info, "removed snapshots that no actor names any more")
            }
        }
    }

    @Test func theUnfinishedSnapshotOfALostWorkerIsRemoved() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            _ = try await fixture.createActor("alice")
            _ = try await cluster.control.resumeActor(fixture.ref("alice"))
            _ = try await cluster.addNode("b", workers: 1)
            let isWriting = Flag()
            node.runtime.beforeCheckpoint {
                isWriting.set()
                try? await eventually("the agent is stopped, which ends this wait") { false }
            }
            node.runtime.failCheckpoints(with: RuntimeFailure(.cancelled, "stopped"))
            let suspend = Task { try? await cluster.control.suspendActor(fixture.ref("alice")) }
            try await eventually("the checkpoint begins") { isWriting.isSet }
            guard case .suspending(_, let unfinished) = try await fixture.current("alice").value.state else {
                throw DidNotHappen(description: "alice is suspending")
            }
            cluster.stop(node)
            _ = await suspend.value
            try await eventually("the unfinished one is removed") { removed.all == [unfinished] }
            let alice = try await fixture.current("alice").value
            #expect(alice.status == .suspended && alice.lastSnapshot == nil)
        }
    }

    @Test func nothingIsRemovedBeforeTheRetentionIsOver() async throws {
        let collection = try await collection(retention: .seconds(3600))
        let clocked = collection.control.store
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        try await fixture.suspended("alice", on: worker, nonce: "old")
        try await fixture.running("alice", on: worker)
        _ = try await clocked.finishSuspend(
            try await fixture.suspending("alice", on: worker, nonce: "new"), snapshot: uri("new"))
        now.withLock { $0 += 3_599_999 }
        #expect(await collection.collect(behind: nil) == SnapshotCollection.Round())
        #expect(removed.all.isEmpty)
        now.withLock { $0 += 1 }
        #expect(await collection.collect(behind: nil).removed == 1)
        #expect(removed.all == [uri("old")])
        #expect(try await notes().isEmpty)
    }

    @Test func aSnapshotThatIsNamedAfterAllStays() async throws {
        try await drop(1)
        let alice = try await fixture.current("alice")
        var back = alice.value
        // As a mistake would leave it: no step brings a name back.
        back.lastSnapshot = uri("n0")
        let key = fixture.store.keys.actor(fixture.ref("alice"))
        _ = try await fixture.store.etcd.transaction(
            Transaction().then(.put(key, back.record(after: Codec.magic))))
        let round = try await collection().collect(behind: nil)
        #expect(round.stillNamed == 1 && round.removed == 0)
        #expect(removed.all.isEmpty && cluster.log.contains(.error, "named after all"))
        #expect(try await notes().isEmpty)
    }

    @Test func aTemplatesGoldenSnapshotStays() async throws {
        try await drop(1)
        var template = fixture.template
        template.ref.name = "golden"
        template.status.goldenSnapshot = uri("n0")
        #expect(try await fixture.store.createTemplate(template))
        let round = try await collection().collect(behind: nil)
        #expect(round.stillNamed == 1 && removed.all.isEmpty)
    }

    @Test func ofAnActorThatCannotBeReadNothingIsRemoved() async throws {
        try await drop(1)
        let worker = try await fixture.register("other")
        _ = try await fixture.createActor("bob")
        for nonce in ["first", "second"] {
            try await fixture.running("bob", on: worker)
            try await fixture.suspended("bob", on: worker, nonce: nonce)
        }
        let key = fixture.store.keys.actor(fixture.ref("alice"))
        _ = try await fixture.store.etcd.transaction(Transaction().then(.put(key, [1, 2, 3])))
        let round = try await collection().collect(behind: nil)
        #expect(round.failed == 1 && round.reason?.contains("cannot be read") == true)
        #expect(removed.all == [uri("first", of: "bob")])
        #expect(try await notes() == [uri("n0")])
    }

    @Test func aNodeThatDoesNotAnswerIsLeftOutAndAnotherDoesIt() async throws {
        try await drop(20)
        let collection = try await collection()
        let calls = Collected<String>()
        let removed = removed
        cluster.nodes.onDeletion { snapshot, address throws(NodeFailure) in
            calls.append(address)
            if address == "a" {
                throw NodeFailure(status: Status(code: .deadlineExceeded, message: "silence"), receipt: nil)
            }
            removed.append(snapshot)
        }
        #expect(await collection.collect(behind: nil).removed == 20)
        #expect(Set(removed.all).count == 20)
        // Those that were under way when it was found out, and no others.
        #expect(calls.all.count { $0 == "a" } <= 8)
    }

    @Test func whatCannotBeRemovedStaysNotedAndKeepsNothingElseBack() async throws {
        try await drop(150)
        let collection = try await collection()
        let removed = removed
        let stubborn = uri("n3")
        cluster.nodes.onDeletion { snapshot, _ throws(NodeFailure) in
            if snapshot == stubborn {
                throw NodeFailure(status: Status(code: .failedPrecondition, message: "not ours"), receipt: nil)
            }
            removed.append(snapshot)
        }
        let round = await collection.collect(behind: nil)
        #expect(round.removed == 149 && round.failed == 1 && round.next == nil)
        #expect(round.reason?.contains("not ours") == true && round.reason?.contains("\(stubborn)") == true)
        #expect(try await notes() == [stubborn])
        cluster.nodes.onDeletion(nil)
        #expect(await collection.collect(behind: nil).removed == 1)
        #expect(try await notes().isEmpty)
    }

    @Test func withoutAnyNodeEverythingStaysNoted() async throws {
        try await drop(3)
        let round = try await collection(agents: []).collect(behind: nil)
        #expect(round.removed == 0 && round.failed == 3)
        #expect(try await notes().count == 3)
    }

    @Test func twoLeadersAtATimeDoNoHarm() async throws {
        try await drop(40)
        let collection = try await collection()
        async let first = collection.collect(behind: nil)
        async let second = collection.collect(behind: nil)
        let rounds = await [first, second]
        #expect(rounds.allSatisfy { $0.failed == 0 && $0.stillNamed == 0 })
        #expect(Set(removed.all).count == 40 && !removed.all.contains(uri("n40")))
        #expect(try await notes().isEmpty)
    }
}
