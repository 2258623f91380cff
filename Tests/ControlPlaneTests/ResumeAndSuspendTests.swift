import ControlPlane
import Etcd
import GRPC
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import Synchronization
import TestKit
import Testing

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
            let actor = try await fixture.current("alice")
            #expect(actor.value == before.value)
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

    @Test func aClaimOfWhichEtcdGivesNoAnswerAtAllIsFoundAndGoneOnWith() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 4)
            _ = try await fixture.createActor("alice")
            let once = Once()
            // Applied, and then nothing but silence until the time for the call is up.
            cluster.etcd.afterWrite { _ in
                if once.isFirst() {
                    throw EtcdError(
                        code: .other, operation: "", endpoint: "", text: "time is up", outcome: .unknown)
                }
            }
            let actor = try await control.resumeActor(fixture.ref("alice"))
            #expect(actor.value.status == .running)
            #expect(node.runtime.started.count == 1)
            #expect(try await fixture.store.rows(fixture.ref("alice"), on: nil).operation == nil)
        }
    }

    @Test func aLostAnswerToTheClaimDoesNotClaimTwice() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 4)
            _ = try await fixture.createActor("alice")
            let once = Once()
            cluster.etcd.afterWrite { _ in
                if once.isFirst() {
                    throw EtcdError(
                        code: .unavailable, operation: "", endpoint: "", text: "answer lost", outcome: .unknown)
                }
            }
            let actor = try await control.resumeActor(fixture.ref("alice"))
            #expect(actor.value.status == .running)
            #expect(node.runtime.started.count == 1)
            #expect(try await fixture.store.listWorkers().bound.count == 1)
        }
    }

    @Test func anUpdateBetweenAClaimWhoseAnswerGotLostAndItsRepetitionDoesNotHideTheClaim() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 4)
            _ = try await fixture.createActor("alice")
            let once = Once()
            let fixture = fixture
            cluster.etcd.afterWrite { _ in
                guard once.isFirst() else { return }
                let actor = try await fixture.current("alice")
                var changed = actor.value
                changed.workerSelector = Selector(matchLabels: ["size": "small"])
                _ = try await fixture.store.updateActor(fixture.ref("alice"), from: actor, to: changed)
                throw EtcdError(
                    code: .unavailable, operation: "", endpoint: "", text: "answer lost", outcome: .unknown)
            }
            let actor = try await control.resumeActor(fixture.ref("alice"))
            #expect(actor.value.status == .running)
            #expect(actor.value.workerSelector.matchLabels == ["size": "small"])
            #expect(node.runtime.started.count == 1)
            #expect(try await fixture.store.rows(fixture.ref("alice"), on: nil).operation == nil)
        }
    }

    /// Makes the second and third write that the control plane sends fail: those of a workflow that follow its claim.
    private func failWritesAfterTheFirst(_ cluster: TestCluster, _ code: EtcdError.Code, _ outcome: EtcdError.Outcome) {
        let count = Counter()
        cluster.etcd.beforeWrite { _ in
            guard [1, 2].contains(count.next()) else { return }
            throw EtcdError(code: code, operation: "", endpoint: "", text: "refused", outcome: outcome)
        }
    }

    @Test(arguments: [(EtcdError.Code.noSpace, EtcdError.Outcome.notApplied), (.other, .unknown)])
    func aWorkflowDoesNotEndBeforeItsOperationWhateverEtcdSays(_ code: EtcdError.Code, _ outcome: EtcdError.Outcome)
        async throws
    {
        try await cluster.run {
            _ = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            failWritesAfterTheFirst(cluster, code, outcome)
            let actor = try await control.resumeActor(fixture.ref("alice"))
            #expect(actor.value.status == .running)
            #expect(try await fixture.store.rows(fixture.ref("alice"), on: nil).operation == nil)
        }
    }

    @Test func aBindingIsRevokedInTheEndAlthoughEtcdRefusesAtFirst() async throws {
        var options = ControlPlaneOptions()
        options.answerLimit = .milliseconds(100)
        let cluster = try await TestCluster(TestEtcd.store(), options: options)
        try await cluster.run {
            _ = try await cluster.addNode("node", workers: 1)
            _ = try await cluster.fixture.createActor("alice")
            cluster.nodes.beforeCall { _, _ throws(NodeFailure) in
                throw NodeFailure(status: Status(code: .unavailable, message: "not reached"), receipt: nil)
            }
            failWritesAfterTheFirst(cluster, .noSpace, .notApplied)
            let error = await #expect(throws: ControlError.self) {
                try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
            }
            guard case .noAnswer = error else {
                Issue.record("expected noAnswer, got \(String(describing: error))")
                return
            }
            try await eventually("alice is released") {
                try await cluster.fixture.current("alice").value.state == .suspended
            }
        }
    }

    @Test func aFirstCallThatHangsCountsTowardsTheLimit() async throws {
        var options = ControlPlaneOptions()
        options.answerLimit = .milliseconds(200)
        let cluster = try await TestCluster(TestEtcd.store(), options: options)
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await cluster.fixture.createActor("alice")
            let gate = Gate()
            node.runtime.beforeStart { _ in await gate.pass() }
            let ref = cluster.fixture.ref("alice")
            let resume = Task { try await cluster.control.resumeActor(ref) }
            try await gate.waitForArrival()
            try await eventually("alice is released") {
                try await cluster.fixture.current("alice").value.state == .suspended
            }
            await #expect(throws: ControlError.self) { try await resume.value }
            gate.open()
        }
    }

    // MARK: Two replicas

    /// A second replica of the control plane, with what it sees of etcd.
    private func secondReplica() -> (control: ControlPlane, etcd: InterceptedEtcd) {
        let etcd = InterceptedEtcd(fixture.store.etcd)
        let control = ControlPlane(
            store: Store(etcd: etcd, keys: fixture.store.keys), nodes: cluster.nodes, environment: .test())
        return (control, etcd)
    }

    private func hasLease(_ control: ControlPlane) async -> Bool {
        await (try? control.replica.perform { _ throws(ControlError) in true }) ?? false
    }

    @Test func aReplicaThatHasNotListedTheWorkersYetSuspendsAllTheSame() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            _ = try await control.resumeActor(fixture.ref("alice"))
            let (second, _) = secondReplica()
            try await running(second.replica.run) {
                try await eventually("the second replica has a lease") { await hasLease(second) }
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
                    let hasLease = await hasLease(second)
                    return hasLease && second.inventory.isListed
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
                    let hasLease = await hasLease(second)
                    return hasLease && second.inventory.isListed
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
