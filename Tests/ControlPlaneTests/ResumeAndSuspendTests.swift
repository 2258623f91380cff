import ControlPlane
import Etcd
import NodeAgent
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Resuming and suspending while nothing fails but a worker that is chosen.
@Suite struct ResumeAndSuspendTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }

    init() async throws { cluster = try await TestCluster(TestEtcd.store()) }

    @Test func aResumedActorRunsOnAWorkerOfItsPoolAndASuspendedOneFreesIt() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            let resumed = try await control.resumeActor(fixture.ref("alice"))
            let worker = try #require(resumed.value.state.assignment?.worker)
            #expect(resumed.value.status == .running)
            #expect(worker.pool == fixture.pool.ref)
            #expect(node.runtime.running.count == 1)
            let binding = try #require(try await fixture.store.binding(of: worker))
            #expect(binding.value.phase == .ready)
            #expect(binding.value.actorUID == "uid-alice")

            let suspended = try await control.suspendActor(fixture.ref("alice"))
            #expect(suspended.value.state == .suspended)
            #expect(suspended.value.lastSnapshot?.text.hasPrefix("file:///snapshots/uid-alice/") == true)
            #expect(node.runtime.running.isEmpty)
            let rows = try await fixture.store.rows(fixture.ref("alice"), on: worker)
            #expect(rows.binding == nil && rows.operation == nil)
        }
    }

    @Test func resumingARunningActorAndSuspendingASuspendedOneDoNothing() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("node", workers: 1)
            let created = try await fixture.createActor("alice")
            #expect(try await control.suspendActor(fixture.ref("alice")) == created)
            let running = try await control.resumeActor(fixture.ref("alice"))
            #expect(try await control.resumeActor(fixture.ref("alice")) == running)
        }
    }

    @Test func twoResumesAtOnceGiveOneWinnerAndOneAborted() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 4)
            _ = try await fixture.createActor("alice")
            // Neither gets further than the node before both have begun.
            let gate = Gate()
            node.runtime.beforeStart { _ in
                await gate.pass()
            }
            let ref = fixture.ref("alice")
            let first = Task { try await control.resumeActor(ref) }
            try await gate.waitForArrival()
            let error = await #expect(throws: ControlError.self) { try await control.resumeActor(ref) }
            guard case .operationInProgress = error else {
                Issue.record("expected operationInProgress, got \(String(describing: error))")
                return
            }
            gate.open()
            #expect(try await first.value.value.status == .running)
            #expect(node.runtime.started.count == 1)
        }
    }

    @Test func manyResumesOfDifferentActorsEachGetAWorkerOfTheirOwn() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 16)
            let names = (0..<16).map { "actor-\($0)" }
            for name in names { _ = try await fixture.createActor(name) }
            let workers = try await withThrowingTaskGroup(of: WorkerRef?.self) { group in
                for name in names {
                    let ref = fixture.ref(name)
                    group.addTask { try await control.resumeActor(ref).value.state.assignment?.worker }
                }
                return try await group.reduce(into: Set<WorkerRef?>()) { $0.insert($1) }
            }
            #expect(workers.count == 16)
            #expect(node.runtime.running.count == 16)
            _ = try await fixture.createActor("one-too-many")
            let error = await #expect(throws: ControlError.self) {
                try await control.resumeActor(fixture.ref("one-too-many"))
            }
            guard case .noFreeWorkers = error else {
                Issue.record("expected noFreeWorkers, got \(String(describing: error))")
                return
            }
        }
    }

    @Test func withoutAnEligiblePoolTheResumeSaysSo() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("node", workers: 1)
            let actor = try await fixture.createActor("alice")
            var picky = actor.value
            picky.workerSelector = Selector(matchLabels: ["size": "huge"])
            _ = try await fixture.store.updateActor(fixture.ref("alice"), from: actor, to: picky)
            let error = await #expect(throws: ControlError.self) { try await control.resumeActor(fixture.ref("alice")) }
            guard case .noEligiblePool = error else {
                Issue.record("expected noEligiblePool, got \(String(describing: error))")
                return
            }
        }
    }

    @Test func aPoolThatTheWatchHasNotShownYetIsFound() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("node", workers: 1)
            let actor = try await fixture.createActor("alice")
            var picky = actor.value
            picky.workerSelector = Selector(matchLabels: ["zone": "new"])
            _ = try await fixture.store.updateActor(fixture.ref("alice"), from: actor, to: picky)
            let keys = fixture.store.keys
            cluster.etcd.deliver { keys.poolRef($0.key) == nil }
            var pool = fixture.pool
            pool.labels["zone"] = "new"
            _ = try await fixture.store.putPool(pool, over: try await fixture.store.pool(pool.ref))
            #expect(try await control.resumeActor(fixture.ref("alice")).value.status == .running)
        }
    }

    @Test func aClaimOfAWorkerThatDiedAMomentAgoPicksAnother() async throws {
        // The choice falls on the worker that has been free longest.
        let cluster = try await TestCluster(TestEtcd.store(), chance: Chance(FirstChoiceGenerator()))
        let (fixture, control) = (cluster.fixture, cluster.control)
        try await cluster.run {
            let dead = try await cluster.addNode("dead", workers: 3)
            _ = try await cluster.addNode("alive", workers: 1)
            // The control plane does not hear of what happens to the worker until the claim has been tried.
            cluster.etcd.deliver { event in if case .delete = event { false } else { true } }
            let deadWorkers = dead.slots.all.map(\.ref)
            cluster.stop(dead)
            try await eventually("the dead node's presences are gone") {
                let listing = try await fixture.store.listWorkers()
                return deadWorkers.allSatisfy { listing.live[$0] == nil }
            }
            #expect(deadWorkers.allSatisfy { control.inventory.row($0)?.isFree == true })
            _ = try await fixture.createActor("alice")
            cluster.etcd.resetCounts()
            let resumed = try await control.resumeActor(fixture.ref("alice"))
            #expect(resumed.value.state.assignment?.worker.pod == "alive-0")
            // One claim was refused, the next one held; the refusal told all that was needed for it.
            #expect(cluster.etcd.counts == InterceptedEtcd.Counts(ranges: 1, writeTransactions: 3))
            #expect(deadWorkers.count { control.inventory.row($0)?.isFree == true } == 2)
            // The worker that was tried is known to be gone now; no claim of it was left behind.
            let listing = try await fixture.store.listWorkers()
            #expect(listing.bound.keys.map(\.pod) == ["alive-0"])
        }
    }
}
