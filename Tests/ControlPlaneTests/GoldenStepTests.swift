import ControlPlane
import SubstrateModel
import Testing

/// What comes next, by what is in etcd.
@Suite struct GoldenStepTests {
    private let assignment = Assignment(
        worker: WorkerRef(pool: PoolRef(namespace: "n", name: "p"), pod: "a-0"), uid: "uid",
        address: ActorAddress(ip: "127.0.0.1", port: 80))
    private let template = TemplateRef(namespace: "n", name: "t")
    private let snapshot = SnapshotURI("file:///s/uid/1")
    private let now: Int64 = 1000

    private func step(
        _ phase: ActorTemplate.Status.Phase, due: Int64? = nil, stay: Assignment? = nil, taking: SnapshotURI? = nil,
        _ state: ActorState?, last: SnapshotURI? = nil
    ) -> GoldenStep {
        var status = ActorTemplate.Status()
        status.phase = phase
        status.goldenActorID = phase == .none ? "" : "id"
        status.takeGoldenSnapshotAtMilliseconds = due
        status.goldenStay = stay?.goldenStay ?? ""
        status.goldenSnapshotInProgress = taking
        let actor = state.map { state in
            var actor = Actor(uid: "uid", template: template)
            actor.isGolden = true
            actor.state = state
            actor.lastSnapshot = last
            return actor
        }
        return GoldenStep(status, of: template, actor: actor, now: now)
    }

    @Test func theWayThatAllGoesWell() {
        #expect(step(.none, nil) == .nameActor)
        #expect(step(.resumeGoldenActor, nil) == .createActor)
        #expect(step(.resumeGoldenActor, .suspended) == .resume)
        let stay = assignment.goldenStay
        #expect(step(.resumeGoldenActor, .running(assignment)) == .noteRunning(stay: stay))
        #expect(
            step(.waitGoldenActor, due: 1001, stay: assignment, .running(assignment)) == .wait(untilMilliseconds: 1001))
        #expect(step(.waitGoldenActor, due: 1000, stay: assignment, .running(assignment)) == .take(stay: stay))
        #expect(
            step(.waitGoldenActor, due: 1000, stay: assignment, taking: snapshot, .suspended, last: snapshot)
                == .record(snapshot))
    }

    @Test func aSnapshotThatSomebodyElseHasTakenIsNotTheGoldenOne() {
        let other = SnapshotURI("file:///s/uid/2")
        // Before its time and after it, and when the suspend for the golden one has come to nothing.
        for due in [1001, 1000] as [Int64] {
            #expect(step(.waitGoldenActor, due: due, stay: assignment, .suspended, last: other) == .noteStart)
            #expect(
                step(.waitGoldenActor, due: due, stay: assignment, taking: snapshot, .suspended, last: other)
                    == .noteStart)
        }
        #expect(step(.resumeGoldenActor, .suspended, last: other) == .resume)
    }

    @Test func anotherStayHasItsTimeBeforeItAnew() {
        var elsewhere = assignment
        elsewhere.uid = "other"
        var again = assignment
        again.address = ActorAddress(ip: "127.0.0.2", port: 80)
        for next in [elsewhere, again] {
            for due in [1001, 1000] as [Int64] {
                #expect(
                    step(.waitGoldenActor, due: due, stay: assignment, taking: snapshot, .running(next))
                        == .noteRunning(stay: next.goldenStay))
            }
        }
        // An older version of the control plane has not written the stay.
        #expect(
            step(.waitGoldenActor, due: 1000, .running(assignment)) == .noteRunning(stay: assignment.goldenStay))
    }

    @Test func anActorThatHasLostEverythingHasItsTimeBeforeItAnew() {
        #expect(step(.waitGoldenActor, due: 1, .suspended) == .noteStart)
        #expect(step(.failed, due: 1, .suspended) == .noteStart)
        #expect(step(.failed, .suspended) == .noteStart)
    }

    @Test func anActorOfSomebodyElseIsLeftAlone() {
        var status = ActorTemplate.Status()
        status.phase = .waitGoldenActor
        status.goldenActorID = "id"
        status.goldenSnapshotInProgress = snapshot
        var theirs = Actor(uid: "uid", template: template)
        theirs.lastSnapshot = snapshot
        #expect(GoldenStep(status, of: template, actor: theirs, now: now) == .nameActor)
        theirs.isGolden = true
        let other = TemplateRef(namespace: "n", name: "other")
        #expect(GoldenStep(status, of: other, actor: theirs, now: now) == .nameActor)
    }

    @Test func whatIsUnderWayIsBroughtToItsEnd() throws {
        #expect(step(.resumeGoldenActor, .resuming(assignment)) == .resume)
        #expect(step(.waitGoldenActor, due: 1, .suspending(assignment, snapshot: snapshot)) == .suspend)
        let name = try #require(LocalSnapshotName("uid/1"))
        let local = LocalSnapshot(name: name, node: "a", directoryID: "d")
        #expect(step(.waitGoldenActor, due: 1, .pausing(assignment, snapshot: local)) == .resume)
        #expect(step(.waitGoldenActor, due: 1, .paused) == .noteStart)
        #expect(step(.resumeGoldenActor, .paused) == .resume)
        #expect(step(.failed, due: 1, stay: assignment, .running(assignment)) == .take(stay: assignment.goldenStay))
    }
}
