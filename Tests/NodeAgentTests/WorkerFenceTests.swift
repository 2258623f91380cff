import NodeAgent
import SubstrateModel
import Testing

/// Which calls a worker follows: each rule, and what goes wrong without it.
@Suite struct WorkerFenceTests {
    private let snapshot = Snapshot.external(SnapshotURI("file:///s/1"))

    private func token(_ revision: Int64) -> OperationToken { OperationToken(revision) }
    private func receipt(_ epoch: Int64, _ state: Receipt.State) -> WorkerFence.Decision {
        .answer(Receipt(epoch: Epoch(epoch), state: state))
    }

    @Test func aStartIsFollowedOnceAndARepeatedOneGetsThePresentState() {
        var fence = WorkerFence()
        #expect(fence.start(Epoch(10), token(10)) == .act)
        #expect(fence.start(Epoch(10), token(10)) == receipt(10, .busy))
        fence.started(Epoch(10))
        #expect(fence.start(Epoch(10), token(10)) == receipt(10, .running))
        fence.ended(Epoch(10))
        // Burned: it was started, and never will be again.
        #expect(fence.start(Epoch(10), token(10)) == receipt(10, .notRunning))
    }

    @Test func aQuestionFencesOffTheOperationItAsksAbout() {
        var fence = WorkerFence()
        #expect(fence.ask(Epoch(10), token(10)) == receipt(10, .notRunning))
        // The start that was on its way comes late, under the same operation and under the burned epoch.
        #expect(fence.start(Epoch(10), token(10)) == .stale)
        // The question can be repeated.
        #expect(fence.ask(Epoch(10), token(10)) == receipt(10, .notRunning))
        // A newer operation cannot start the burned epoch either, but the next claim's can start its own.
        #expect(fence.start(Epoch(10), token(12)) == receipt(10, .notRunning))
        #expect(fence.start(Epoch(15), token(15)) == .act)
    }

    @Test func aQuestionFromBelowTheFenceIsIgnored() {
        var fence = WorkerFence()
        #expect(fence.start(Epoch(20), token(20)) == .act)
        fence.started(Epoch(20))
        #expect(fence.ask(Epoch(20), token(25)) == receipt(20, .running))
        #expect(fence.ask(Epoch(20), token(20)) == .stale)
        #expect(fence.stop(Epoch(20), token(20)) == .stale)
        #expect(fence.activity == .running(Epoch(20)))
    }

    @Test func theAnswerNotRunningBurnsTheEpoch() {
        var fence = WorkerFence()
        _ = fence.ask(Epoch(10), token(5))
        #expect(fence.burned == Epoch(10))
        #expect(fence.start(Epoch(10), token(10)) == receipt(10, .notRunning))
        #expect(fence.start(Epoch(9), token(10)) == receipt(9, .notRunning))
    }

    @Test func whileStartingOrCheckpointingTheAnswerIsBusy() {
        var fence = WorkerFence()
        _ = fence.start(Epoch(10), token(10))
        #expect(fence.ask(Epoch(10), token(10)) == receipt(10, .busy))
        fence.started(Epoch(10))
        #expect(fence.checkpoint(Epoch(10), token(12)) == .act)
        #expect(fence.ask(Epoch(10), token(12)) == receipt(10, .busy))
        // What busy means is not decided yet, so nothing is burned beyond what was.
        fence.checkpointFailed(Epoch(10))
        #expect(fence.ask(Epoch(10), token(12)) == receipt(10, .running))
    }

    @Test func aCheckpointKeepsItsReceiptUntilTheBindingGoes() {
        var fence = WorkerFence()
        _ = fence.start(Epoch(10), token(10))
        fence.started(Epoch(10))
        #expect(fence.checkpoint(Epoch(10), token(12)) == .act)
        #expect(fence.checkpoint(Epoch(10), token(12)) == receipt(10, .busy))
        fence.checkpointed(Epoch(10), snapshot)
        #expect(fence.checkpoint(Epoch(10), token(12)) == receipt(10, .checkpointed(snapshot)))
        #expect(fence.ask(Epoch(10), token(14)) == receipt(10, .checkpointed(snapshot)))
        // The end of the processes that a checkpoint brings with it does not take the receipt away.
        fence.ended(Epoch(10))
        #expect(fence.ask(Epoch(10), token(14)) == receipt(10, .checkpointed(snapshot)))
        // The binding of another epoch going says nothing about this one.
        fence.forget(Epoch(9))
        #expect(fence.activity == .checkpointed(Epoch(10), snapshot))
        fence.forget(Epoch(10))
        #expect(fence.ask(Epoch(10), token(14)) == receipt(10, .notRunning))
        #expect(fence.start(Epoch(10), token(20)) == receipt(10, .notRunning))
    }

    @Test func aCheckpointOfWhatDoesNotRunSaysSo() {
        var fence = WorkerFence()
        #expect(fence.checkpoint(Epoch(10), token(10)) == receipt(10, .notRunning))
        #expect(fence.start(Epoch(10), token(11)) == receipt(10, .notRunning))
    }

    @Test func aNewClaimTakesThePlaceOfAReceiptButNotOfARunningActor() {
        var fence = WorkerFence()
        _ = fence.start(Epoch(10), token(10))
        fence.started(Epoch(10))
        #expect(fence.start(Epoch(20), token(20)) == .occupied)
        #expect(fence.checkpoint(Epoch(10), token(21)) == .act)
        fence.checkpointed(Epoch(10), snapshot)
        #expect(fence.start(Epoch(30), token(30)) == .act)
    }

    @Test func stoppingActsOnWhatRunsAndAnswersForTheRest() {
        var fence = WorkerFence()
        #expect(fence.stop(Epoch(10), token(10)) == receipt(10, .notRunning))
        #expect(fence.start(Epoch(12), token(12)) == .act)
        #expect(fence.stop(Epoch(12), token(12)) == receipt(12, .busy))
        fence.started(Epoch(12))
        #expect(fence.stop(Epoch(12), token(13)) == .act)
        #expect(fence.ask(Epoch(12), token(13)) == receipt(12, .busy))
        #expect(fence.start(Epoch(14), token(14)) == .occupied)
        fence.ended(Epoch(12))
        #expect(fence.ask(Epoch(12), token(14)) == receipt(12, .notRunning))
    }

    @Test func aStopThatComesAfterTheQuestionWhatBecameOfItDoesNothing() {
        var fence = WorkerFence()
        _ = fence.start(Epoch(10), token(10))
        fence.started(Epoch(10))
        #expect(fence.ask(Epoch(10), token(20)) == receipt(10, .running))
        #expect(fence.stop(Epoch(10), token(20)) == receipt(10, .running))
        #expect(fence.activity == .running(Epoch(10)))
    }
}
