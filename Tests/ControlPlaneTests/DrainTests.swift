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

/// Workers that are to take no actors any more (B14: a graceful stop keeps what was done since the last snapshot).
@Suite struct DrainTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }

    init() async throws {
        var options = TestCluster.impatient
        options.operationSweepInterval = .milliseconds(50)
        cluster = try await TestCluster(TestEtcd.store(), options: options)
    }

    private func running(_ name: String) async throws -> Stored<Actor> {
        _ = try await fixture.createActor(name)
        return try await control.resumeActor(fixture.ref(name))
    }

    private func becomes(_ name: String, _ status: ActorStatus) async throws -> Actor {
        try await eventualValue("\(name) is \(status.rawValue)") {
            let actor = try await fixture.current(name).value
            return actor.status == status ? actor : nil
        }
    }

    private func order(_ target: DrainTarget, grace: Duration = .seconds(60)) async throws {
        try await fixture.store.drain(
            target,
            DrainOrder(graceMilliseconds: Int64(grace / .milliseconds(1)), orderedAtMilliseconds: 1))
    }

    private func isMarked(_ name: String) async throws -> Bool {
        try await fixture.store.presence(of: fixture.workerRef(name))?.value.isDraining == true
    }

    @Test func aNodeThatStopsInTimeLosesNothingSinceTheLastSnapshots() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 4)
            for name in ["alice", "bob", "carol"] { _ = try await running(name) }
            let before = try await control.suspendActor(fixture.ref("alice")).value.lastSnapshot
            _ = try await control.resumeActor(fixture.ref("alice"))
            node.drain.stop(within: .seconds(60))
            for name in ["alice", "bob", "carol"] {
                let actor = try await becomes(name, .suspended)
                #expect(actor.lastSnapshot != nil && actor.lastSnapshot != before)
                #expect(actor.lastRecovery == nil, "it was released instead of suspended")
            }
            try await eventually("the agent ends long before its time is up") { node.ended.isSet }
            #expect(try await fixture.store.listWorkers().live.isEmpty)
            #expect(try await fixture.store.listWorkers().bound.isEmpty)
        }
    }

    @Test func aNodeWithoutActorsStopsAtOnce() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 3)
            node.drain.stop(within: .seconds(3600))
            try await eventually("the agent ends") { node.ended.isSet }
        }
    }

    @Test func aDrainingWorkerGetsNoActorsUntilItIsUndrained() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            let target = DrainTarget.worker(fixture.workerRef("a-0"))
            let incarnation = try await fixture.store.presence(of: fixture.workerRef("a-0"))?.incarnation
            try await order(target)
            try await eventually("the mark is known") {
                control.inventory.row(fixture.workerRef("a-0"))?.presence?.value.isDraining == true
            }
            _ = try await fixture.createActor("alice")
            let error = await #expect(throws: ControlError.self) { try await control.resumeActor(fixture.ref("alice")) }
            guard case .noFreeWorkers = error else {
                Issue.record("expected no free workers, got \(String(describing: error))")
                return
            }
            #expect(try await fixture.store.undrain(target))
            try await eventually("the worker is free") {
                control.inventory.row(fixture.workerRef("a-0"))?.isFree == true
            }
            #expect(try await control.resumeActor(fixture.ref("alice")).value.status == .running)
            #expect(try await fixture.store.presence(of: fixture.workerRef("a-0"))?.incarnation == incarnation)
        }
    }

    @Test func anOrderForTheNodeDrainsAllItsWorkersAndNoOthers() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 3)
            for name in ["alice", "bob"] { _ = try await running(name) }
            _ = try await cluster.addNode("b", workers: 1)
            let carol = try await running("carol")
            let onB = carol.value.state.assignment?.worker == fixture.workerRef("b-0")
            try await order(.node(fixture.pool.ref, "a"))
            for name in ["alice", "bob"] { #expect(try await becomes(name, .suspended).lastSnapshot != nil) }
            if onB { #expect(try await fixture.current("carol").value.status == .running) }
            for worker in ["a-0", "a-1", "a-2"] { #expect(try await isMarked(worker)) }
            #expect(try await !isMarked("b-0"))
            // Its agent is told to drain, not to stop.
            #expect(!node.ended.isSet)
            #expect(try await fixture.store.listWorkers().live.count == 4)
        }
    }

    @Test func anOrderOutlivesTheAgent() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            try await order(.node(fixture.pool.ref, "a"))
            try await eventually("the worker is marked") { try await isMarked("a-0") }
            cluster.stop(node)
            try await eventually("the node is gone") { try await fixture.store.listWorkers().live.isEmpty }
            // From its first moment on the presence of the next one says so.
            let events = Collected<Bool>()
            let keys = fixture.store.keys
            cluster.etcd.deliver { event in
                if case .put(let pair, _) = event, case .live = keys.worker(pair.key),
                    let presence = try? Codec.decode(pair, as: Presence.self)
                {
                    events.append(presence.value.isDraining)
                }
                return true
            }
            _ = try await cluster.addNode("a", workers: 1, runtime: node.runtime)
            #expect(events.all == [true])
        }
    }

    @Test func anActorThatIsBeingStartedIsLetFinishAndThenSuspended() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let gate = Gate()
            node.runtime.beforeStart { _ in await gate.pass() }
            _ = try await fixture.createActor("alice")
            async let resumed = control.resumeActor(fixture.ref("alice"))
            try await gate.waitForArrival()
            try await order(.worker(fixture.workerRef("a-0")))
            try await eventually("the worker is marked") { try await isMarked("a-0") }
            #expect(try await fixture.current("alice").value.status == .resuming)
            gate.open()
            #expect(try await resumed.value.status == .running)
            #expect(try await becomes("alice", .suspended).lastSnapshot != nil)
            #expect(node.runtime.started.count == 1)
        }
    }

    @Test func whenTheGracePeriodEndsWhatIsLeftIsReleasedAtItsLastSnapshot() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 2)
            _ = try await running("alice")
            let snapshot = try await control.suspendActor(fixture.ref("alice")).value.lastSnapshot
            let alice = try await control.resumeActor(fixture.ref("alice"))
            let worker = try #require(alice.value.state.assignment?.worker)
            let old = try #require(try await fixture.store.presence(of: worker)?.incarnation)
            node.runtime.failCheckpoints(with: RuntimeFailure(.internal, "disk full"))
            try await order(.node(fixture.pool.ref, "a"), grace: .milliseconds(300))
            let actor = try await becomes("alice", .suspended)
            #expect(actor.lastSnapshot == snapshot)
            // Released with its worker, or given up by a suspend that was just being tried again when the time was up.
            #expect([nil, worker].contains(actor.lastRecovery?.worker))
            #expect(node.runtime.running.isEmpty)
            // The worker is there again, and says that it is drained. That of nobody has not gone away.
            try await eventually("the worker is there again") {
                let presence = try await fixture.store.presence(of: worker)
                return presence.map { $0.incarnation > old && $0.value.isDraining } ?? false
            }
            #expect(try await fixture.store.listWorkers().live.count == 2)
        }
    }

    @Test func aFailedSuspendIsTriedAgainUntilTheGracePeriodEnds() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            _ = try await running("alice")
            node.runtime.failCheckpoints(with: RuntimeFailure(.internal, "disk full"))
            try await order(.worker(fixture.workerRef("a-0")))
            try await eventually("it has been tried several times") {
                cluster.log.lines.filter { $0.message.hasPrefix("could not suspend the actor of a draining") }.count > 2
            }
            node.runtime.failCheckpoints(with: nil)
            #expect(try await becomes("alice", .suspended).lastRecovery == nil)
        }
    }

    @Test func snapshotsAreWrittenAFewAtATime() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 40)
            for number in 0..<40 { _ = try await running("actor-\(number)") }
            // Now and at most at a time.
            let calls = Shared((now: 0, most: 0))
            node.runtime.beforeCheckpoint {
                calls.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                // So that whatever may begin beside this one does.
                for _ in 0..<100 { await Task.yield() }
                calls.withLock { $0.now -= 1 }
            }
            try await order(.node(fixture.pool.ref, "a"))
            for number in 0..<40 { _ = try await becomes("actor-\(number)", .suspended) }
            #expect((2...16).contains(calls.current.most))
        }
    }

    @Test func whenTheLeaderDiesInTheMiddleTheNextOneGoesOn() async throws {
        let etcd = InterceptedEtcd(fixture.store.etcd)
        var options = TestCluster.impatient
        options.operationSweepInterval = .milliseconds(50)
        options.leaseTimeToLive = .seconds(1)
        let log = LogRecorder()
        let first = ControlPlane(
            store: Store(etcd: etcd, keys: fixture.store.keys), nodes: cluster.nodes,
            environment: .test(log: log.log), options: options)
        try await TestKit.running({ await first.run() }) {
            try await eventually("the first replica leads") { log.contains(.info, "leading") }
            try await cluster.run {
                let node = try await cluster.addNode("a", workers: 3)
                for name in ["alice", "bob", "carol"] { _ = try await running(name) }
                let gate = Gate()
                node.runtime.beforeCheckpoint { await gate.pass() }
                try await order(.node(fixture.pool.ref, "a"))
                try await gate.waitForArrival()
                #expect(!cluster.log.contains(.info, "leading"))
                // Its operations go with its session, in the middle of the suspends that it had begun.
                etcd.cutOff()
                try await eventually("the second replica leads") { cluster.log.contains(.info, "leading") }
                gate.open()
                for name in ["alice", "bob", "carol"] {
                    let actor = try await becomes(name, .suspended)
                    #expect(actor.lastSnapshot != nil && actor.lastRecovery == nil)
                }
                #expect(node.runtime.started.count == 3 && node.runtime.running.isEmpty)
            }
        }
    }

    @Test func anActorWhoseTemplateSaysSoGoesOnElsewhere() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            var template = fixture.template
            template.ref.name = "resuming"
            template.onWorkerLoss = .resume
            _ = try await fixture.store.createTemplate(template)
            let ref = fixture.ref("alice")
            _ = try await fixture.store.createActor(ref, Actor(uid: "uid-alice", template: template.ref))
            _ = try await control.resumeActor(ref)
            let other = try await cluster.addNode("b", workers: 1)
            try await order(.node(fixture.pool.ref, "a"))
            let actor = try await eventualValue("alice runs on the other node") {
                let actor = try await fixture.current("alice").value
                let isThere = actor.state.assignment?.worker == fixture.workerRef("b-0")
                return isThere && actor.status == .running ? actor : nil
            }
            // From the snapshot that was written when it left.
            #expect(other.runtime.origins == [actor.lastSnapshot] && actor.lastSnapshot != nil)
            #expect(actor.lastRecovery?.worker == fixture.workerRef("a-0") && actor.lastRecovery?.next == .request)
        }
    }

    @Test func aPausedActorKeepsItsLocalSnapshotOnADrainedNode() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            _ = try await running("alice")
            let local = try #require(try await control.pauseActor(fixture.ref("alice")).value.localSnapshot)
            _ = try await cluster.addNode("b", workers: 1)
            let target = DrainTarget.node(fixture.pool.ref, "a")
            try await order(target)
            try await eventually("the mark is known") {
                control.inventory.row(fixture.workerRef("a-0"))?.presence?.value.isDraining == true
            }
            // Rather than go back to an older snapshot on another node, it waits for its own.
            await #expect(throws: ControlError.self) { try await control.resumeActor(fixture.ref("alice")) }
            #expect(try await fixture.current("alice").value.localSnapshot == local)
            #expect(try await fixture.store.undrain(target))
            try await eventually("the worker is free") {
                control.inventory.row(fixture.workerRef("a-0"))?.isFree == true
            }
            #expect(try await control.resumeActor(fixture.ref("alice")).value.lastFallback == nil)
            #expect(node.runtime.origins.last == node.runtime.localSnapshots.uri(of: local.name))
        }
    }
}
