import ControlPlane
import Etcd
import GRPC
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Writes of a workflow that etcd refuses, or of which nobody knows what became.
@Suite struct LostAnswerTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }

    init() async throws { cluster = try await TestCluster(TestEtcd.store()) }

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

    /// A request that etcd gets late, after it has refused a copy of it, binds the worker of the first attempt while the second
    /// attempt finds its own taken by somebody else.
    @Test func aClaimThatGoesThroughLateIsNotTakenForOneOfTheWorkerThatIsTriedNow() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 2)
            for name in ["alice", "bob"] { _ = try await fixture.createActor(name) }
            let (fixture, control, base) = (fixture, control, fixture.store.etcd)
            let keys = fixture.store.keys
            let late = Shared<Transaction?>(nil)
            let first = Shared<WorkerRef?>(nil)
            let bobs = Shared<Stored<Binding>?>(nil)
            @Sendable func worker(_ transaction: Transaction) -> WorkerRef? {
                for case .put(let put) in transaction.success {
                    if case .bound(let ref)? = keys.worker(put.key) { return ref }
                }
                return nil
            }
            cluster.etcd.beforeWrite { transaction in
                guard bobs.current == nil, let tried = worker(transaction) else { return }
                guard let before = first.current else {
                    // Somebody has it, for this moment.
                    first.set(tried)
                    late.set(transaction)
                    let carols = Binding(
                        actor: fixture.ref("carol"), actorUID: "uid-carol", template: fixture.template.ref,
                        incarnation: try #require(control.inventory.row(tried)?.presence).incarnation, phase: .claimed)
                    _ = try await base.transaction(
                        Transaction().then(.put(keys.bound(tried), carols.record(after: Codec.magic))))
                    return
                }
                let away = Transaction().then(.delete(keys.bound(before)))
                _ = try await base.transaction(away)
                let claimed = try await base.transaction(try #require(late.current))
                #expect(claimed.succeeded)
                let presence = try #require(control.inventory.row(tried)?.presence)
                let claim = try await fixture.store.claim(
                    fixture.ref("bob"), try await fixture.current("bob"), worker: tried, presence: presence,
                    operation: fixture.operation(.resume), lease: try await fixture.lease())
                bobs.set(claim.binding)
            }
            let alice = try await control.resumeActor(fixture.ref("alice"))
            let bound = try #require(bobs.current)
            #expect(alice.value.state.status == .running)
            #expect(alice.value.state.assignment?.worker == first.current)
            #expect(node.runtime.running.count == 1)
            let taken = try await fixture.store.listWorkers().bound
            #expect(taken.values.contains(bound) && taken.count == 2)
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
}
