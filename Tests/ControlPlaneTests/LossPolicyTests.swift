import ControlPlane
import Etcd
import GRPC
import NodeAgent
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// What follows the loss of a worker is the template's `onWorkerLoss`.
@Suite struct LossPolicyTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }

    init() async throws { cluster = try await TestCluster(TestEtcd.store()) }

    /// An actor of a template with this policy, not running yet.
    private func create(_ name: String, _ policy: OnWorkerLoss) async throws -> ActorRef {
        var template = fixture.template
        template.ref.name = "template-of-\(name)"
        template.onWorkerLoss = policy
        _ = try await fixture.store.createTemplate(template)
        let ref = fixture.ref(name)
        _ = try await fixture.store.createActor(ref, Actor(uid: "uid-\(name)", template: template.ref))
        return ref
    }

    private func becomes(_ name: String, _ status: ActorStatus, onceLost: Bool = true) async throws -> Actor {
        try await eventualValue("\(name) is \(status.rawValue) after the loss") {
            let actor = try await fixture.current(name).value
            return actor.status == status && (actor.lastRecovery != nil) == onceLost ? actor : nil
        }
    }

    /// Suspended, and due to be resumed.
    private func due(_ name: String) async throws -> ActorRef {
        let ref = try await create(name, .resume)
        let actor = try await fixture.current(name)
        var lost = actor.value
        lost.lastRecovery = Recovery(
            worker: fixture.workerRef("lost"), statusBefore: .running, releasedAtMilliseconds: 1, next: .resume)
        _ = try await fixture.store.updateActor(ref, from: actor, to: lost)
        return ref
    }

    @Test func whoSuspendsAnActorThatTheLeaderIsAboutToResumeIsObeyed() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let (control, fixture) = (control, fixture)
            let once = Once()
            let suspended = Flag()
            let row = fixture.store.keys.actor(fixture.ref("alice"))
            // The leader has read that alice is to be resumed, and is about to claim a worker for her.
            cluster.etcd.beforeWrite { transaction in
                let claims = transaction.success.contains {
                    if case .put(let put) = $0 { put.key == row } else { false }
                }
                guard claims, transaction.success.count > 1, once.isFirst() else { return }
                let actor = try await control.suspendActor(fixture.ref("alice"))
                #expect(actor.value.state == .suspended && actor.value.lastRecovery?.next == .request)
                suspended.set()
            }
            _ = try await due("alice")
            try await eventually("it is suspended in time") { suspended.isSet }
            // Whoever comes next finds her as she was left.
            let carol = try await create("carol", .revert)
            _ = try await control.resumeActor(carol, capacityWait: .seconds(10))
            #expect(try await fixture.current("alice").value.state == .suspended)
            #expect(node.runtime.started.count == 1)
        }
    }

    @Test func whoSuspendsAnActorWhoseWorkerIsLostMeanwhileTakesItsResumptionBack() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let (control, cluster, fixture) = (control, cluster, fixture)
            let alice = try await create("alice", .resume)
            _ = try await control.resumeActor(alice)
            let once = Once()
            cluster.etcd.beforeWrite { [fixture] transaction in
                guard once.isFirst() else { return }
                cluster.stop(node)
                try await eventually("she is released") {
                    try await fixture.current("alice").value.state == .suspended
                }
            }
            let actor = try await control.suspendActor(alice)
            #expect(actor.value.state == .suspended && actor.value.lastRecovery?.statusBefore == .running)
            #expect(actor.value.lastRecovery?.next == .request)
            #expect(try await fixture.current("alice").value == actor.value)
        }
    }

    @Test func anActorThatCannotBeStartedIsNotResumedAgainAtOnce() async throws {
        var options = TestCluster.impatient
        options.operationSweepInterval = .seconds(300)
        options.failedWorkerAvoidance = .zero
        let cluster = try await TestCluster(TestEtcd.store(), options: options)
        let fixture = cluster.fixture
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            node.runtime.failStarts(with: RuntimeFailure(.failedPrecondition, "the snapshot is damaged"))
            let attempts = Tally()
            node.runtime.beforeStart { _ in attempts.add() }
            var template = fixture.template
            template.ref.name = "resumed"
            template.onWorkerLoss = .resume
            _ = try await fixture.store.createTemplate(template)
            for name in ["alice", "bob"] {
                var lost = Actor(uid: "uid-\(name)", template: template.ref)
                lost.lastRecovery = Recovery(
                    worker: fixture.workerRef("lost"), statusBefore: .running, releasedAtMilliseconds: 1, next: .resume)
                _ = try await fixture.store.createActor(fixture.ref(name), lost)
                // One after the other, for the one worker.
                try await eventually("\(name)'s start has failed, and is taken back") {
                    let rows = try await fixture.store.rows(fixture.ref(name), on: nil)
                    return rows.actor?.value.lastFailure != nil && rows.operation == nil
                }
            }
            // The next sweep is far away: while bob was tried, nobody has tried alice again.
            #expect(attempts.count == 2)
        }
    }

    @Test func withRevertTheNextRequestResumes() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let alice = try await create("alice", .revert)
            _ = try await control.resumeActor(alice)
            _ = try await cluster.addNode("b", workers: 1)
            cluster.stop(node)
            #expect(try await becomes("alice", .suspended).lastRecovery?.next == .request)
            #expect(try await control.resumeActor(alice).value.state.assignment?.worker == fixture.workerRef("b-0"))
        }
    }

    @Test func withResumeTheLeaderBringsItBackAtItsLastSnapshot() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let alice = try await create("alice", .resume)
            _ = try await control.resumeActor(alice)
            let snapshot = try await control.suspendActor(alice).value.lastSnapshot
            _ = try await control.resumeActor(alice)
            let other = try await cluster.addNode("b", workers: 1)
            cluster.stop(node)
            let actor = try await becomes("alice", .running)
            #expect(actor.state.assignment?.worker == fixture.workerRef("b-0"))
            #expect(other.runtime.origins == [snapshot] && actor.lastRecovery?.next == .request)
        }
    }

    @Test func withResumeAnActorThatNeverHadASnapshotStartsAfresh() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let alice = try await create("alice", .resume)
            _ = try await control.resumeActor(alice)
            let other = try await cluster.addNode("b", workers: 1)
            cluster.stop(node)
            _ = try await becomes("alice", .running)
            #expect(other.runtime.origins == [nil])
        }
    }

    @Test func aResumeThatIsDueIsDoneByWhoeverLeadsNextAndOnceThereIsAWorker() async throws {
        var options = TestCluster.impatient
        options.operationSweepInterval = .milliseconds(50)
        let cluster = try await TestCluster(TestEtcd.store(), options: options)
        let suite = LossPolicyTests(cluster: cluster)
        let alice = try await suite.create("alice", .resume)
        // As the release of a leader that died at once has left it.
        let created = try await cluster.fixture.current("alice")
        var lost = created.value
        lost.lastRecovery = Recovery(
            worker: cluster.fixture.workerRef("gone-0"), statusBefore: .running, releasedAtMilliseconds: 1,
            next: .resume)
        _ = try await cluster.fixture.store.updateActor(alice, from: created, to: lost)
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            _ = try await suite.becomes("alice", .running)
        }
    }

    private init(cluster: TestCluster) { self.cluster = cluster }

    @Test func anActorThatWasBeingSuspendedIsNotResumed() throws {
        let worker = Assignment(
            worker: fixture.workerRef("a-0"), uid: "u", address: ActorAddress(ip: "127.0.0.1", port: 80))
        var actor = Actor(uid: "uid", template: fixture.template.ref)
        for (state, next): (ActorState, Recovery.Next) in [
            (.running(worker), .resume), (.resuming(worker), .resume),
            (.suspending(worker, snapshot: SnapshotURI("file:///s/1")), .request),
        ] {
            actor.state = state
            let lost = try actor.transition(.workerLost(atMilliseconds: 1, policy: .resume))
            #expect(lost.lastRecovery?.next == next && lost.state == .suspended)
        }
    }

    @Test func withHoldItStaysUntilAnOperatorReleasesIt() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let alice = try await create("alice", .hold)
            _ = try await control.resumeActor(alice)
            _ = try await cluster.addNode("b", workers: 1)
            cluster.stop(node)
            #expect(try await becomes("alice", .suspended).isHeld)
            let held = try await fixture.current("alice")
            let error = await #expect(throws: ControlError.self) { try await control.resumeActor(alice) }
            guard case .isHeld(alice) = error else {
                Issue.record("expected that it is held, got \(String(describing: error))")
                return
            }
            #expect(try await fixture.current("alice") == held)
            #expect(try await control.releaseHold(of: alice).value.isHeld == false)
            #expect(try await control.resumeActor(alice).value.status == .running)
            // Whom nobody holds needs no release.
            let before = try await fixture.current("alice")
            #expect(try await control.releaseHold(of: alice) == before)
        }
    }
}
