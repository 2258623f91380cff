import History
import SubstrateModel
import SubstrateStore
import Testing

/// What nodes and clients say, held against what happened.
@Suite struct LedgerTests {
    private let worker = WorkerRef(pool: PoolRef(namespace: "default", name: "pool"), pod: "a")
    private let other = WorkerRef(pool: PoolRef(namespace: "default", name: "pool"), pod: "b")
    private let ref = ActorRef(atespace: "default", name: "alice")

    @Test func anActorThatRunsOnTwoNodesIsFound() {
        var running = RunningActors()
        let first = RunningActors.Run(actorUID: "uid", worker: worker, epoch: Epoch(5))
        let second = RunningActors.Run(actorUID: "uid", worker: other, epoch: Epoch(9))
        #expect(running.started(first, at: 6).isEmpty)
        #expect(running.started(second, at: 10).map(\.promise) == [.exclusion])
        running.ended(first)
        running.ended(second)
        #expect(running.started(RunningActors.Run(actorUID: "uid", worker: other, epoch: Epoch(12)), at: 13).isEmpty)
    }

    @Test func whatWasFrozenMayNotRunOnBesideAnother() {
        var running = RunningActors()
        let first = RunningActors.Run(actorUID: "uid", worker: worker, epoch: Epoch(5))
        _ = running.started(first, at: 6)
        running.ended(first)
        #expect(running.thawed(first, at: 7).isEmpty)
        running.ended(first)
        _ = running.started(RunningActors.Run(actorUID: "uid", worker: other, epoch: Epoch(9)), at: 10)
        #expect(running.thawed(first, at: 11).map(\.promise) == [.exclusion])
    }

    @Test func anEpochThatIsStartedTwiceIsFound() {
        var running = RunningActors()
        let run = RunningActors.Run(actorUID: "uid", worker: worker, epoch: Epoch(5))
        _ = running.started(run, at: 6)
        running.ended(run)
        #expect(running.started(run, at: 7).map(\.promise) == [.exclusion])
    }

    private func step(_ kind: ActorStep.Kind, version: Int64) -> ActorStep {
        let actor = Actor(uid: "uid", template: TemplateRef(namespace: "default", name: "template"))
        let row = Stored(value: actor, createRevision: 1, modRevision: version, version: version)
        return ActorStep(kind, ref, at: version, from: nil, to: kind == .deleted ? nil : row)
    }

    @Test func anAcknowledgedRowThatNeverWasIsFound() {
        var writes = AcknowledgedWrites()
        let row = AcknowledgedWrites.Row(
            ref: ref, status: .suspended, version: 3, lastSnapshot: nil, workerUID: nil)
        writes.told(row)
        #expect(writes.violations(at: 9).map(\.promise) == [.writes])
        writes.happened(step(.updated, version: 3))
        #expect(writes.violations(at: 9).isEmpty)
    }

    @Test func aCreationThatWasAppliedTwiceAndOneThatWasLostAreFound() {
        var writes = AcknowledgedWrites()
        writes.created(ref, isKnown: true)
        #expect(writes.violations(at: 9).count == 1)
        writes.happened(step(.created, version: 1))
        #expect(writes.violations(at: 9).isEmpty)
        writes.created(ref, isKnown: false)
        #expect(writes.violations(at: 9).isEmpty)
        writes.happened(step(.created, version: 2))
        #expect(writes.violations(at: 9).isEmpty)
        writes.happened(step(.created, version: 3))
        #expect(writes.violations(at: 9).count == 1)
    }
}
