import History
import SubstrateModel
import SubstrateStore
import Testing

/// What the soak test makes of what actors tell.
@Suite struct TestimonyTests {
    private let worker = WorkerRef(pool: PoolRef(namespace: "default", name: "pool"), pod: "a")
    private let first = SnapshotURI("file:///snapshots/uid/first")

    /// The actor was claimed under epoch 5, suspended, and claimed under epoch 9.
    private var claims: Claims {
        var claims = Claims()
        claims.take(step(.claimed, Epoch(5), actor(nil)))
        claims.take(step(.suspended, Epoch(5), actor(first)))
        claims.take(step(.claimed, Epoch(9), actor(first)))
        return claims
    }

    private func actor(_ snapshot: SnapshotURI?) -> Actor {
        var actor = Actor(uid: "uid", template: TemplateRef(namespace: "default", name: "template"))
        actor.lastSnapshot = snapshot
        return actor
    }

    private func step(_ kind: ActorStep.Kind, _ epoch: Epoch, _ actor: Actor) -> ActorStep {
        ActorStep(
            kind, ActorRef(atespace: "default", name: "alice"), at: 1, from: nil,
            to: Stored(value: actor, createRevision: 1, modRevision: 1, version: 1), worker: worker, epoch: epoch)
    }

    private func violations(_ lines: String...) -> [Violation.Promise] {
        var testimony = Testimony(actorUID: "uid", claims: claims)
        for line in lines { testimony.take(Substring(line)) }
        return testimony.violations.map(\.promise)
    }

    @Test func aLifeThatGoesOnWhereTheSnapshotWasTakenIsInOrder() {
        #expect(violations("start 5 0 0", "will 5 1", "done 5 1", "start 9 5 1", "will 9 2", "done 9 2").isEmpty)
        // Stopped between the two, it may have come to either.
        #expect(violations("start 5 0 0", "will 5 1", "done 5 1", "will 5 2", "start 9 5 2").isEmpty)
        // Stopped before it had begun, it has left what it was to be started from.
        #expect(violations("start 9 0 0").isEmpty)
    }

    @Test func anEarlierLifeThatStillRunsIsFound() {
        #expect(violations("start 5 0 0", "will 5 1", "done 5 1", "start 9 5 1", "will 5 2") == [.exclusion])
    }

    @Test func aStartWithoutAClaimASecondOneAndALateOneAreFound() {
        #expect(violations("start 7 0 0") == [.exclusion])
        #expect(violations("start 5 0 0", "start 5 0 0") == [.exclusion])
        #expect(violations("start 9 0 0", "start 5 0 0") == [.exclusion])
    }

    @Test func stateThatIsLostOrOfAnotherLifeIsFound() {
        #expect(
            violations("start 5 0 0", "will 5 1", "done 5 1", "will 5 2", "done 5 2", "start 9 5 1") == [.snapshots])
        #expect(violations("start 5 0 0", "will 5 1", "done 5 1", "start 9 0 0") == [.snapshots])
        #expect(violations("start 5 3 1") == [.snapshots])
    }
}
