import ControlPlane
import SubstrateModel
import Testing

/// What comes next, by what is in etcd.
@Suite struct GoldenStepTests {
    private let assignment = Assignment(
        worker: WorkerRef(pool: PoolRef(namespace: "n", name: "p"), pod: "a-0"), uid: "uid",
        address: ActorAddress(ip: "127.0.0.1", port: 80))
    private let snapshot = SnapshotURI("file:///s/uid/1")
    private let now: Int64 = 1000

    private func step(
        _ phase: ActorTemplate.Status.Phase, due: Int64? = nil, _ state: ActorState?, last: SnapshotURI? = nil
    ) -> GoldenStep {
        var status = ActorTemplate.Status()
        status.phase = phase
        status.goldenActorID = phase == .none ? "" : "id"
        status.takeGoldenSnapshotAtMilliseconds = due
        let actor = state.map { state in
            var actor = Actor(uid: "uid", template: TemplateRef(namespace: "n", name: "t"))
            actor.state = state
            actor.lastSnapshot = last
            return actor
        }
        return GoldenStep(status, actor: actor, now: now)
    }

    @Test func theWayThatAllGoesWell() {
        #expect(step(.none, nil) == .nameActor)
        #expect(step(.resumeGoldenActor, nil) == .createActor)
        #expect(step(.resumeGoldenActor, .suspended) == .resume)
        #expect(step(.resumeGoldenActor, .running(assignment)) == .noteRunning)
        #expect(step(.waitGoldenActor, due: 1001, .running(assignment)) == .wait(untilMilliseconds: 1001))
        #expect(step(.waitGoldenActor, due: 1000, .running(assignment)) == .suspend)
        #expect(step(.waitGoldenActor, due: 1000, .suspended, last: snapshot) == .record(snapshot))
    }

    @Test func anActorThatWasSuspendedTooEarlyGoesOnUntilItsTimeHasCome() {
        #expect(step(.waitGoldenActor, due: 1001, .suspended, last: snapshot) == .resume)
        #expect(step(.resumeGoldenActor, .suspended, last: snapshot) == .resume)
    }

    @Test func anActorThatHasLostEverythingHasItsTimeBeforeItAnew() {
        #expect(step(.waitGoldenActor, due: 1, .suspended) == .noteStart)
        #expect(step(.failed, due: 1, .suspended) == .noteStart)
        #expect(step(.failed, .suspended) == .noteStart)
    }

    @Test func whatIsUnderWayIsBroughtToItsEnd() throws {
        #expect(step(.resumeGoldenActor, .resuming(assignment)) == .resume)
        #expect(step(.waitGoldenActor, due: 1, .suspending(assignment, snapshot: snapshot)) == .suspend)
        let name = try #require(LocalSnapshotName("uid/1"))
        let local = LocalSnapshot(name: name, node: "a", directoryID: "d")
        #expect(step(.waitGoldenActor, due: 1, .pausing(assignment, snapshot: local)) == .resume)
        #expect(step(.waitGoldenActor, due: 1, .paused) == .resume)
        #expect(step(.failed, due: 1, .running(assignment)) == .suspend)
    }
}
