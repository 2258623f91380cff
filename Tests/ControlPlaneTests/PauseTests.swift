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

/// Pausing actors, and what becomes of them when nothing fails but a node.
@Suite struct PauseTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }
    var alice: ActorRef { fixture.ref("alice") }

    init() async throws { cluster = try await TestCluster(TestEtcd.store()) }

    /// Alice, paused on the node after a suspend, with what she was suspended into.
    private func pausedAfterASuspend() async throws -> (actor: Stored<Actor>, external: SnapshotURI) {
        _ = try await fixture.createActor("alice")
        _ = try await control.resumeActor(alice)
        let external = try #require(try await control.suspendActor(alice).value.lastSnapshot)
        _ = try await control.resumeActor(alice)
        return (try await control.pauseActor(alice), external)
    }

    private func expect(
        _ what: String, _ body: () async throws -> Void, _ matches: (ControlError) -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: ControlError.self, sourceLocation: sourceLocation) { try await body() }
        if let error, !matches(error) {
            Issue.record("expected \(what), got \(error)", sourceLocation: sourceLocation)
        }
    }

    @Test func aPausedActorFreesItsWorkerAndComesBackOnItsNode() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 2)
            _ = try await fixture.createActor("alice")
            _ = try await control.resumeActor(alice)
            _ = try await cluster.addNode("b", workers: 8)
            for _ in 0..<5 {
                let paused = try await control.pauseActor(alice)
                let local = try #require(paused.value.localSnapshot)
                #expect(paused.value.state == .paused && paused.value.lastSnapshot == nil)
                #expect(local.node == "a" && local.name.actorUID == "uid-alice")
                #expect(node.runtime.running.isEmpty)
                #expect(try await fixture.store.listWorkers().bound.isEmpty)
                // Eight workers of ten are on the other node, and none of them will do.
                let resumed = try await control.resumeActor(alice)
                #expect(resumed.value.state.assignment?.worker.pod.hasPrefix("a-") == true)
                #expect(resumed.value.localSnapshot == nil && resumed.value.lastFallback == nil)
                #expect(node.runtime.origins.last == node.runtime.localSnapshots.uri(of: local.name))
            }
        }
    }

    @Test func pausingAPausedActorDoesNothingAndTheOtherWaysRoundAreRefused() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            let created = try await fixture.createActor("alice")
            await expect("isSuspended") {
                _ = try await control.pauseActor(alice)
            } _: { error in
                if case .isSuspended(fixture.ref("alice")) = error { true } else { false }
            }
            #expect(try await fixture.current("alice") == created)
            _ = try await control.resumeActor(alice)
            let paused = try await control.pauseActor(alice)
            #expect(try await control.pauseActor(alice) == paused)
            await expect("isPaused") {
                _ = try await control.suspendActor(alice)
            } _: { error in
                if case .isPaused(fixture.ref("alice")) = error { true } else { false }
            }
            #expect(try await fixture.current("alice") == paused)
            await expect("actorNotFound") {
                _ = try await control.pauseActor(fixture.ref("nobody"))
            } _: { error in
                if case .actorNotFound = error { true } else { false }
            }
        }
    }

    @Test func whileItsNodeIsFullAPausedActorWaitsThere() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let (paused, _) = try await pausedAfterASuspend()
            _ = try await fixture.createActor("bob")
            _ = try await control.resumeActor(fixture.ref("bob"))
            _ = try await cluster.addNode("b", workers: 4)
            await expect("noFreeWorkers") {
                _ = try await control.resumeActor(alice)
            } _: { error in
                if case .noFreeWorkers = error { true } else { false }
            }
            #expect(try await fixture.current("alice") == paused)
            _ = try await control.suspendActor(fixture.ref("bob"))
            let resumed = try await control.resumeActor(alice)
            #expect(resumed.value.state.assignment?.worker == fixture.workerRef("a-0"))
            let local = try #require(paused.value.localSnapshot)
            #expect(node.runtime.origins.last == node.runtime.localSnapshots.uri(of: local.name))
        }
    }

    @Test func aNodeIsFoundByItsDirectoryWhenItHasAnotherName() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            _ = try await pausedAfterASuspend()
            let actor = try await fixture.current("alice")
            var renamed = actor.value
            renamed.localSnapshot?.node = "old-name"
            _ = try await fixture.store.updateActor(alice, from: actor, to: renamed)
            let resumed = try await control.resumeActor(alice)
            #expect(resumed.value.lastFallback == nil)
        }
    }

    @Test func aNodeOfTheSameNameWithAnotherDirectoryIsNotTheOneThatHasTheSnapshot() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            _ = try await pausedAfterASuspend()
            let actor = try await fixture.current("alice")
            var elsewhere = actor.value
            elsewhere.localSnapshot?.directoryID = "another"
            _ = try await fixture.store.updateActor(alice, from: actor, to: elsewhere)
            #expect(try await control.resumeActor(alice).value.lastFallback?.reason == .nodeGone)
        }
    }

    private func stopAndWait(_ node: TestCluster.Node) async throws {
        let workers = node.slots.all.map(\.ref)
        cluster.stop(node)
        try await eventually("the node's presences are gone") {
            let listing = try await fixture.store.listWorkers()
            return workers.allSatisfy { listing.live[$0] == nil }
        }
    }

    @Test func aNodeThatIsBeingRestartedIsWaitedFor() async throws {
        let cluster = try await TestCluster(TestEtcd.store(), options: ControlPlaneOptions())
        try await cluster.run {
            let alice = cluster.fixture.ref("alice")
            let node = try await cluster.addNode("a", workers: 1)
            _ = try await cluster.fixture.createActor("alice")
            _ = try await cluster.control.resumeActor(alice)
            let local = try #require(try await cluster.control.pauseActor(alice).value.localSnapshot)
            cluster.stop(node)
            try await eventually("the node's presence is gone") {
                try await cluster.fixture.store.listWorkers().live.isEmpty
            }
            async let resumed = cluster.control.resumeActor(alice)
            let again = try await cluster.addNode("a", workers: 1, runtime: node.runtime)
            #expect(try await resumed.value.lastFallback == nil)
            #expect(again.runtime.origins.last == again.runtime.localSnapshots.uri(of: local.name))
        }
    }

    @Test func whenItsNodeIsGoneAPausedActorStartsFromItsExternalSnapshotAndThatIsNoted() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let (paused, external) = try await pausedAfterASuspend()
            #expect(paused.value.lastSnapshot == external)
            let other = try await cluster.addNode("b", workers: 1)
            try await stopAndWait(node)
            let resumed = try await control.resumeActor(alice)
            #expect(resumed.value.state.assignment?.worker == fixture.workerRef("b-0"))
            #expect(other.runtime.origins == [external])
            #expect(resumed.value.localSnapshot == nil && resumed.value.lastSnapshot == external)
            #expect(resumed.value.lastFallback?.reason == .nodeGone)
            #expect(resumed.value.lastFallback?.snapshot == paused.value.localSnapshot)
            #expect(cluster.log.lines.contains { $0.message == "resuming an actor without its local snapshot" })
        }
    }

    @Test func whenItsNodeIsGoneAndThereIsNoExternalSnapshotAPausedActorStartsAfresh() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            _ = try await fixture.createActor("alice")
            _ = try await control.resumeActor(alice)
            _ = try await control.pauseActor(alice)
            let other = try await cluster.addNode("b", workers: 1)
            try await stopAndWait(node)
            let resumed = try await control.resumeActor(alice)
            #expect(resumed.value.status == .running && resumed.value.lastFallback?.reason == .nodeGone)
            #expect(other.runtime.origins == [nil])
        }
    }

    @Test func aWatchThatLagsDoesNotGiveALocalSnapshotUp() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let (paused, _) = try await pausedAfterASuspend()
            _ = try await cluster.addNode("b", workers: 1)
            let runtime = node.runtime
            try await stopAndWait(node)
            try await eventually("the control plane knows") {
                control.inventory.nodes(withDirectory: "a").isEmpty
            }
            // The node comes back, which the watch does not show.
            cluster.etcd.deliver { _ in false }
            let worker = fixture.workerRef("a-0")
            async let back = cluster.addNode("a", workers: 1, runtime: runtime)
            try await eventually("the node is back") {
                try await fixture.store.presence(of: worker) != nil
            }
            #expect(control.inventory.nodes(withDirectory: "a").isEmpty)
            let resumed = try await control.resumeActor(alice)
            #expect(resumed.value.state.assignment?.worker == worker && resumed.value.lastFallback == nil)
            let local = try #require(paused.value.localSnapshot)
            #expect(runtime.origins.last == runtime.localSnapshots.uri(of: local.name))
            cluster.etcd.deliver { _ in true }
            _ = try await control.suspendActor(alice)
            _ = try await back
        }
    }

    @Test func whenItsNodeDoesNotHaveItAPausedActorStartsFromItsExternalSnapshot() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let (paused, external) = try await pausedAfterASuspend()
            let local = try #require(paused.value.localSnapshot)
            node.runtime.localSnapshots.remove(local.name)
            let resumed = try await control.resumeActor(alice)
            #expect(resumed.value.status == .running && node.runtime.origins.last == external)
            #expect(resumed.value.lastFallback?.reason == .snapshotMissing)
            #expect(resumed.value.lastFallback?.snapshot == local && resumed.value.localSnapshot == nil)
        }
    }

    @Test func aFailedResumeIsUndoneToPausedWithTheNodesReason() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let (paused, _) = try await pausedAfterASuspend()
            node.runtime.failStarts(with: RuntimeFailure(.dataLoss, "the manifest is damaged"))
            await expect("the node's reason") {
                _ = try await control.resumeActor(alice)
            } _: { error in
                if case .node(let failure) = error {
                    failure.status.message == "the manifest is damaged"
                } else {
                    false
                }
            }
            #expect(try await fixture.currentButForItsFailure("alice") == paused.value)
            #expect(try await fixture.store.listWorkers().bound.isEmpty)
            node.runtime.failStarts(with: nil)
            #expect(try await control.resumeActor(alice).value.status == .running)
        }
    }

    @Test func aFallbackThatFailsLeavesTheLocalSnapshotForTheNextTry() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let (paused, _) = try await pausedAfterASuspend()
            let other = try await cluster.addNode("b", workers: 1)
            let runtime = node.runtime
            try await stopAndWait(node)
            other.runtime.failStarts(with: RuntimeFailure(.failedPrecondition, "no such program"))
            await #expect(throws: ControlError.self) { try await control.resumeActor(alice) }
            #expect(try await fixture.currentButForItsFailure("alice") == paused.value)
            // Its node comes back with its disk.
            _ = try await cluster.addNode("a", workers: 1, runtime: runtime)
            let resumed = try await control.resumeActor(alice)
            #expect(resumed.value.state.assignment?.worker == fixture.workerRef("a-0"))
            #expect(resumed.value.lastFallback == nil)
            let local = try #require(paused.value.localSnapshot)
            #expect(runtime.origins.last == runtime.localSnapshots.uri(of: local.name))
        }
    }
}
