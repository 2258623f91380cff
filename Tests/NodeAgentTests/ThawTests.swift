import Etcd
import GRPC
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// What becomes of actors whose node could not renew its lease in time.
@Suite struct ThawTests {
    let node: NodeHarness

    init() async throws { node = try await NodeHarness() }

    private func thaw() async throws {
        node.etcd.reconnect()
        try await node.passTime(until: "the lease is renewed after all") {
            node.log.contains(.info, "the lease was renewed after all")
        }
    }

    @Test func actorsThatStillBelongHereGoOnWhenTheLeaseIsRenewedAfterAll() async throws {
        try await node.run(workers: 2) {
            let slot = try await node.slot()
            let claim = try await node.started("alice", on: slot)
            try await node.freeze()
            #expect(node.runtime.frozen == [claim.binding.epoch])
            #expect(!node.readiness.isReady)
            // However long it takes: as long as etcd has the lease nobody else can have them.
            for _ in 0..<20 { node.clock.advance(by: .seconds(60)) }
            #expect(node.runtime.frozen == [claim.binding.epoch])
            try await thaw()
            #expect(node.runtime.frozen.isEmpty && node.runtime.running == [claim.binding.epoch])
            #expect(node.readiness.isReady)
            // Nobody has noticed: it is the same worker with the same actor, started once.
            #expect(node.slots.slot(of: slot.ref)?.presence == slot.presence)
            #expect(node.runtime.started == [claim.binding.epoch])
            #expect(try await slot.status(node.later(claim)).state == .running)
            // And the lease is kept as before.
            let renewals = node.etcd.renewals
            try await node.passTime(until: "more renewals") { node.etcd.renewals >= renewals + 2 }
            #expect(node.watchdog.thaws.count == 1)
        }
    }

    @Test func aLeaseThatIsGoneAfterAllMeansThatTheActorsAreKilledAndTheWorkersRegisteredAnew() async throws {
        try await node.run {
            let slot = try await node.slot()
            _ = try await node.started("alice", on: slot)
            let key = node.fixture.store.keys.live(slot.ref)
            let lease = try #require(try await node.fixture.store.etcd.range(.key(key)).pairs.first?.lease)
            try await node.freeze()
            try await node.fixture.store.etcd.revoke(lease)
            #expect(node.runtime.running.count == 1)
            node.etcd.reconnect()
            try await node.passTime(until: "the actor is killed") { node.runtime.running.isEmpty }
            try await node.passTime(until: "a new incarnation") { node.isAnotherIncarnation(than: slot) }
            #expect(node.watchdog.thaws.isEmpty)
        }
    }

    @Test func anActorWhoseBindingWasRevokedOrIsGoneIsKilledInsteadOfThawed() async throws {
        try await node.run(workers: 3) {
            let slots = [try await node.slot(0), try await node.slot(1), try await node.slot(2)]
            let alice = try await node.started("alice", on: slots[0])
            let bob = try await node.started("bob", on: slots[1])
            let carol = try await node.started("carol", on: slots[2])
            #expect(node.runtime.running == [alice, bob, carol].map(\.binding.epoch))
            // What happens meanwhile is not told by the watch.
            node.etcd.deliver { _ in false }
            try await node.freeze()
            _ = try await node.fixture.store.revoke(alice)
            _ = try await node.fixture.store.etcd.transaction(
                Transaction().then(.delete(node.fixture.store.keys.bound(slots[1].ref))))
            try await thaw()
            #expect(thawedActors(of: node) == [[ActivationID(pod: "node-2", epoch: carol.binding.epoch)]])
            try await node.passTime(until: "new incarnations") {
                slots.prefix(2).allSatisfy(node.isAnotherIncarnation)
            }
            #expect(node.runtime.running == [carol.binding.epoch] && node.runtime.frozen.isEmpty)
        }
    }

    @Test func anActorWhoseWorkersPresenceIsGoneIsKilledInsteadOfThawed() async throws {
        try await node.run {
            let slot = try await node.slot()
            _ = try await node.started("alice", on: slot)
            try await node.freeze()
            // The lease lives, and yet somebody else could have it.
            try await node.fixture.store.withdraw(slot.ref, slot.presence.incarnation)
            try await thaw()
            #expect(thawedActors(of: node) == [[]])
            try await node.passTime(until: "a new incarnation") { node.isAnotherIncarnation(than: slot) }
            #expect(node.runtime.running.isEmpty)
        }
    }

    @Test func whileFrozenAQuestionIsAnsweredBusyAndNeverNotRunning() async throws {
        try await node.run {
            let slot = try await node.slot()
            let claim = try await node.started("alice", on: slot)
            try await node.freeze()
            #expect(try await slot.status(node.later(claim)).state == .busy)
            // A repeated start is answered, too, and does not start anything.
            let again = node.later(claim, by: 2000)
            #expect(try await slot.start(node.workload("alice"), from: nil, again).state == .busy)
            #expect(node.runtime.started.count == 1)
            try await thaw()
            #expect(try await slot.status(node.later(claim, by: 3000)).state == .running)
        }
    }

    @Test func whileFrozenNothingStarts() async throws {
        try await node.run {
            let slot = try await node.slot()
            let claim = try await node.claimed("alice", on: slot)
            try await node.freeze()
            let error = await #expect(throws: NodeFailure.self) {
                try await slot.start(node.workload("alice"), from: nil, claim.fences)
            }
            // It never will: the claim can be taken back, and another worker be tried.
            #expect(error?.receipt?.state == .notRunning)
            #expect(node.runtime.started.isEmpty)
            try await thaw()
            #expect(try await slot.start(node.workload("alice"), from: nil, node.later(claim)).state == .notRunning)
            #expect(node.runtime.started.isEmpty)
        }
    }

    @Test func aStartThatTookLongerThanTheLeaseRunsOnlyAfterTheThaw() async throws {
        try await node.run {
            let slot = try await node.slot()
            let claim = try await node.claimed("alice", on: slot)
            // As unpacking a snapshot does.
            let unpacking = Gate()
            node.runtime.beforeStart { _ in await unpacking.pass() }
            let start = Task { try await slot.start(node.workload("alice"), from: nil, claim.fences) }
            try await unpacking.waitForArrival()
            try await node.freeze()
            unpacking.open()
            #expect(try await slot.status(node.later(claim, by: 0)).state == .busy)
            #expect(node.runtime.running.isEmpty)
            try await thaw()
            #expect(try await start.value.state == .running)
            #expect(node.runtime.running == [claim.binding.epoch] && node.runtime.frozen.isEmpty)
        }
    }

    @Test func aStopIsFollowedWhileFrozen() async throws {
        try await node.run {
            let slot = try await node.slot()
            let claim = try await node.started("alice", on: slot)
            try await node.freeze()
            #expect(try await slot.stop(node.later(claim)).state == .notRunning)
            #expect(node.runtime.running.isEmpty)
            try await thaw()
            #expect(thawedActors(of: node) == [[]])
        }
    }

    @Test func whileFrozenNothingIsCheckpointedAndWhatWasAskedForFollowsTheThaw() async throws {
        try await node.run {
            let slot = try await node.slot()
            let resume = try await node.started("alice", on: slot)
            _ = try await node.fixture.store.confirmRunning(resume, at: node.fixture.address)
            let suspend = try await node.fixture.suspending("alice", on: node.held(slot))
            let snapshot = Snapshot.external(SnapshotURI("file:///s/1"))
            let writes = Gate()
            writes.open()
            node.runtime.beforeCheckpoint { await writes.pass() }
            try await node.freeze()
            let checkpoint = Task { try await slot.checkpoint(to: snapshot, suspend.fences) }
            try await eventually("it waits") { node.log.contains(.info, "a checkpoint waits") }
            #expect(writes.arrived == 0)
            try await thaw()
            #expect(try await checkpoint.value.state == .checkpointed(snapshot))
            // It never moved between the freeze and the snapshot.
            #expect(thawedActors(of: node) == [[]])
        }
    }

    /// An actor whose snapshot is being written while everything is frozen.
    private struct Saving {
        static let snapshot = Snapshot.external(SnapshotURI("file:///s/1"))

        var slot: WorkerSlot
        var resume: Claim
        var suspend: Claim
        /// Lets the writing go on.
        var gate: Gate
        var checkpoint: Task<Receipt, any Error>
    }

    private func frozenInTheMiddleOfACheckpoint() async throws -> Saving {
        let slot = try await node.slot()
        let resume = try await node.started("alice", on: slot)
        _ = try await node.fixture.store.confirmRunning(resume, at: node.fixture.address)
        let suspend = try await node.fixture.suspending("alice", on: node.held(slot))
        let gate = Gate()
        node.runtime.beforeCheckpoint { await gate.pass() }
        let checkpoint = Task { try await slot.checkpoint(to: Saving.snapshot, suspend.fences) }
        try await gate.waitForArrival()
        try await node.freeze()
        return Saving(slot: slot, resume: resume, suspend: suspend, gate: gate, checkpoint: checkpoint)
    }

    @Test func aSnapshotThatIsCompletedWhileFrozenCountsAfterTheThaw() async throws {
        try await node.run {
            let saving = try await frozenInTheMiddleOfACheckpoint()
            saving.gate.open()
            try await eventually("it is written") { node.runtime.running.isEmpty }
            #expect(try await saving.slot.status(node.later(saving.suspend, by: 0)).state == .busy)
            try await thaw()
            #expect(try await saving.checkpoint.value.state == .checkpointed(Saving.snapshot))
        }
    }

    @Test func aSandboxThatHasToRunForItsSnapshotIsThawedInTheMiddleOfIt() async throws {
        try await node.run {
            node.runtime.letActorsRunDuringCheckpoints()
            let saving = try await frozenInTheMiddleOfACheckpoint()
            try await thaw()
            #expect(thawedActors(of: node) == [[ActivationID(pod: "node-0", epoch: saving.resume.binding.epoch)]])
            #expect(node.runtime.frozen.isEmpty)
            saving.gate.open()
            #expect(try await saving.checkpoint.value.state == .checkpointed(Saving.snapshot))
        }
    }

    @Test func anActorWhoseSnapshotFailsWhileFrozenStandsUntilTheThaw() async throws {
        try await node.run {
            node.runtime.failCheckpoints(with: RuntimeFailure(.internal, "the disk is full"))
            let saving = try await frozenInTheMiddleOfACheckpoint()
            saving.gate.open()
            try await eventually("it has failed") { node.log.contains(.warning, "could not checkpoint an actor") }
            #expect(node.runtime.frozen == [saving.resume.binding.epoch])
            try await thaw()
            let error = await #expect(throws: NodeFailure.self) { try await saving.checkpoint.value }
            #expect(error?.receipt?.state == .running)
            #expect(node.runtime.frozen.isEmpty)
        }
    }

    @Test func aThawThatTheWatchdogRefusesIsTriedAgainAtTheNextRenewal() async throws {
        try await node.run {
            let slot = try await node.slot()
            let claim = try await node.started("alice", on: slot)
            node.watchdog.refuse(2)
            try await node.freeze()
            try await thaw()
            #expect(node.watchdog.thaws.count == 3)
            #expect(node.runtime.running == [claim.binding.epoch] && node.runtime.frozen.isEmpty)
        }
    }

    @Test func aWatchdogThatFailsMeansThatTheActorsAreKilledAndTheWorkersRegisteredAnew() async throws {
        try await node.run {
            let slot = try await node.slot()
            _ = try await node.started("alice", on: slot)
            node.watchdog.fail()
            try await eventually("a new incarnation") { node.isAnotherIncarnation(than: slot) }
            #expect(node.runtime.running.isEmpty)
        }
    }

    @Test func whileFrozenAWorkerIsNotRegisteredAnew() async throws {
        try await node.run {
            let slot = try await node.slot()
            let claim = try await node.claimed("alice", on: slot)
            try await node.freeze()
            // Its registration ends, and it waits for etcd to take the presence away.
            _ = try await node.fixture.store.revoke(claim)
            try await eventually("the slot is closed") { node.slots.all.isEmpty }
            let writes = node.etcd.counts.writeTransactions
            try await thaw()
            try await node.passTime(until: "a new incarnation") { node.isAnotherIncarnation(than: slot) }
            #expect(node.etcd.counts.writeTransactions - writes >= 2)
        }
    }

    /// Without the self-tests, which are let go on whatever becomes of actors.
    private func thawedActors(of node: NodeHarness) -> [[ActivationID]] {
        node.watchdog.thaws.map { activations in
            let selfTests = activations.filter { $0.epoch == Epoch(0) }
            #expect(!selfTests.isEmpty)
            return activations.filter { $0.epoch != Epoch(0) }
        }
    }
}
