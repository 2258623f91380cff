import ControlPlane
import Etcd
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// The promise: when the worker under an actor dies, the actor is released.
@Suite struct WorkerLossTests {
    let etcd: InterceptedEtcd
    let fixture: StoreFixture
    let syncer: WorkerPoolSyncer
    let inventory: WorkerInventory

    init() async throws {
        let store = try await TestEtcd.store()
        etcd = InterceptedEtcd(store.etcd)
        fixture = try await StoreFixture(store)
        let environment = Environment.test()
        inventory = WorkerInventory(keys: store.keys, environment: environment)
        // The syncer alone sees etcd through the interceptor.
        syncer = WorkerPoolSyncer(
            store: Store(etcd: etcd, keys: store.keys), inventory: inventory, environment: environment)
    }

    private func becomesReleased(_ name: String) async throws -> Stored<Actor> {
        try await eventualValue("\(name) is released") {
            let actor = try await fixture.current(name)
            return actor.value.state == .suspended ? actor : nil
        }
    }

    private func expectReleased(
        _ actor: Actor, from before: ActorStatus, _ worker: StoreFixture.Worker, lastSnapshot: SnapshotURI?
    ) async throws {
        // No state but SUSPENDED is without a worker, so no field of the pod can be left.
        #expect(actor.state == .suspended)
        #expect(actor.lastSnapshot == lastSnapshot)
        #expect(actor.lastRecovery?.worker == worker.ref)
        #expect(actor.lastRecovery?.statusBefore == before)
        #expect(try await fixture.store.binding(of: worker.ref) == nil)
        let rows = try await fixture.store.rows(fixture.ref("alice"), on: worker.ref)
        #expect(rows.operation == nil)
    }

    @Test func deleteBoundWorkerClearsRunningActor() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        try await fixture.suspended("alice", on: worker, nonce: "good")
        try await fixture.running("alice", on: worker)
        let snapshot = SnapshotURI("file:///snapshots/uid-alice/good")
        // The worker stays listed until its actor has been reset: the commit finds it bound.
        etcd.beforeWrite { [fixture] _ in
            let listing = try await fixture.store.listWorkers()
            #expect(listing.bound[worker.ref] != nil && listing.live[worker.ref] == nil)
        }
        try await running(syncer.runAndRelease) {
            try await eventually("the worker is known") { inventory.row(worker.ref)?.binding != nil }
            try await fixture.store.etcd.revoke(worker.lease)
            let actor = try await becomesReleased("alice")
            try await expectReleased(actor.value, from: .running, worker, lastSnapshot: snapshot)
            try await eventually("the worker is not listed any more") { inventory.row(worker.ref) == nil }
        }
    }

    @Test func deleteBoundWorkerClearsResumingActor() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        _ = try await fixture.resuming("alice", on: worker)
        try await running(syncer.runAndRelease) {
            try await fixture.store.etcd.revoke(worker.lease)
            let actor = try await becomesReleased("alice")
            try await expectReleased(actor.value, from: .resuming, worker, lastSnapshot: nil)
        }
    }

    @Test func deleteBoundWorkerClearsSuspendingActorAndItsSnapshotInProgress() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        try await fixture.suspended("alice", on: worker, nonce: "good")
        try await fixture.running("alice", on: worker)
        let claim = try await fixture.suspending("alice", on: worker, nonce: "unfinished")
        #expect(claim.actor.value.state.inProgressSnapshot?.text.hasSuffix("unfinished") == true)
        try await running(syncer.runAndRelease) {
            try await fixture.store.etcd.revoke(worker.lease)
            let actor = try await becomesReleased("alice")
            try await expectReleased(
                actor.value, from: .suspending, worker,
                lastSnapshot: SnapshotURI("file:///snapshots/uid-alice/good"))
        }
        // The workflow that was suspending it comes too late.
        await #expect(throws: StoreError.self) {
            try await fixture.store.finishSuspend(
                claim, snapshot: SnapshotURI("file:///snapshots/uid-alice/unfinished"))
        }
    }

    @Test func aNewIncarnationUnderTheSameNameReleasesTheActorOfTheOldOne() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        // In one step for the syncer, so that no moment exists in which the worker is not there: it hears of no deletion.
        etcd.deliver { event in if case .delete = event { false } else { true } }
        try await running(syncer.runAndRelease) {
            try await eventually("the worker is known") { inventory.row(worker.ref)?.binding != nil }
            try await fixture.store.etcd.revoke(worker.lease)
            let again = try await fixture.register("worker")
            #expect(again.presence.incarnation > worker.presence.incarnation)
            _ = try await becomesReleased("alice")
            try await eventually("the new incarnation is free") { inventory.row(worker.ref)?.isFree == true }
        }
    }

    // MARK: Whoever came first

    /// Runs `change` after the release has read the actor and before it commits, once; the flag says that it was made.
    private func between(_ change: @escaping @Sendable () async throws -> Void) -> Flag {
        let once = Once()
        let isMade = Flag()
        etcd.beforeWrite { _ in
            guard once.isFirst() else { return }
            // The change is not the syncer's: it goes on when the syncer is stopped.
            await uncancelled {
                do { try await change() } catch { Issue.record(error) }
            }
            isMade.set()
        }
        return isMade
    }

    private func untilQuiet(after change: Flag) async throws {
        try await running(syncer.runAndRelease) {
            try await eventually("the change was made in between") { change.isSet }
            try await eventually("nothing is lost any more") { inventory.isListed && inventory.lostWorkers.isEmpty }
        }
    }

    @Test func aSuspendBetweenReadAndCommitIsRespected() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        let change = between { [fixture] in try await fixture.suspended("alice", on: worker, nonce: "just-in-time") }
        try await fixture.store.etcd.revoke(worker.lease)
        try await untilQuiet(after: change)
        let actor = try await fixture.current("alice").value
        #expect(actor.lastSnapshot?.text == "file:///snapshots/uid-alice/just-in-time")
        #expect(actor.lastRecovery == nil)
    }

    @Test func aDeleteBetweenReadAndCommitIsRespected() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        let change = between { [fixture] in
            let actor = try await fixture.suspended("alice", on: worker)
            try await fixture.store.deleteActor(fixture.ref("alice"), actor)
        }
        try await fixture.store.etcd.revoke(worker.lease)
        try await untilQuiet(after: change)
        #expect(try await fixture.store.actor(fixture.ref("alice")) == nil)
    }

    @Test func aReclaimBetweenReadAndCommitIsRespected() async throws {
        let dead = try await fixture.register("dead")
        let other = try await fixture.register("other")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: dead)
        let change = between { [fixture] in
            try await fixture.suspended("alice", on: dead, nonce: "moved")
            try await fixture.running("alice", on: other)
        }
        try await fixture.store.etcd.revoke(dead.lease)
        try await untilQuiet(after: change)
        let actor = try await fixture.current("alice").value
        #expect(actor.state.assignment?.worker == other.ref)
        #expect(actor.status == .running)
        #expect(actor.lastRecovery == nil)
    }

    @Test func aDeletedAndRecreatedActorIsNotTakenForTheOldOne() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        // As an operator's mistake would leave it: the row gone, the binding not.
        _ = try await fixture.store.etcd.transaction(
            Transaction().then(.delete(fixture.store.keys.actor(fixture.ref("alice")))))
        let again = Actor(uid: "another", template: fixture.template.ref)
        _ = try await fixture.store.createActor(fixture.ref("alice"), again)
        try await fixture.store.etcd.revoke(worker.lease)
        try await running(syncer.runAndRelease) {
            try await eventually("the stale binding is gone") {
                try await fixture.store.binding(of: worker.ref) == nil
            }
        }
        let actor = try await fixture.current("alice")
        #expect(actor.value == again)
        #expect(actor.version == 1)
    }

    @Test func aConflictIsRetriedAndEndsReleased() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        let change = between { [fixture] in
            let actor = try await fixture.current("alice")
            var changed = actor.value
            changed.workerSelector = Selector(matchLabels: ["size": "small"])
            _ = try await fixture.store.updateActor(fixture.ref("alice"), from: actor, to: changed)
        }
        try await fixture.store.etcd.revoke(worker.lease)
        try await running(syncer.runAndRelease) {
            let actor = try await becomesReleased("alice")
            #expect(change.isSet)
            #expect(actor.value.workerSelector.matchLabels == ["size": "small"])
            #expect(actor.value.lastRecovery?.statusBefore == .running)
        }
    }

    @Test func aLostAnswerDoesNotReleaseTwice() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        let before = try await fixture.running("alice", on: worker)
        let once = Once()
        etcd.afterWrite { _ in
            if once.isFirst() {
                throw EtcdError(code: .unavailable, operation: "", endpoint: "", text: "answer lost", outcome: .unknown)
            }
        }
        try await fixture.store.etcd.revoke(worker.lease)
        try await running(syncer.runAndRelease) {
            let actor = try await becomesReleased("alice")
            #expect(actor.version == before.version + 1)
            try await eventually("nothing is lost any more") { inventory.lostWorkers.isEmpty }
        }
        #expect(try await fixture.current("alice").version == before.version + 1)
    }

    // MARK: Whatever is missed

    @Test func aWorkerThatDiedWhileNoControlPlaneRanIsFound() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        try await fixture.store.etcd.revoke(worker.lease)
        try await running(syncer.runAndRelease) { _ = try await becomesReleased("alice") }
    }

    @Test func anEventThatIsLostAltogetherIsCaughtByTheSweep() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        etcd.deliver { event in if case .delete = event { false } else { true } }
        let sweeping = WorkerPoolSyncer(
            store: syncer.store, inventory: inventory, environment: .test(), sweepInterval: .milliseconds(50))
        try await running(sweeping.runAndRelease) {
            try await eventually("the worker is known") { inventory.row(worker.ref)?.binding != nil }
            try await fixture.store.etcd.revoke(worker.lease)
            _ = try await becomesReleased("alice")
        }
    }

    @Test func anActorThatCannotBeReadDoesNotKeepOthersFromTheirRelease() async throws {
        let lease = try await fixture.lease()
        let broken = try await fixture.register("a-broken", lease: lease)
        let worker = try await fixture.register("worker", lease: lease)
        for (name, worker) in [("broken", broken), ("alice", worker)] {
            _ = try await fixture.createActor(name)
            try await fixture.running(name, on: worker)
        }
        _ = try await fixture.store.etcd.transaction(
            Transaction().then(.put(fixture.store.keys.actor(fixture.ref("broken")), Array("not ours".utf8))))
        try await fixture.store.etcd.revoke(lease)
        try await running(syncer.runAndRelease) { _ = try await becomesReleased("alice") }
        #expect(try await fixture.store.binding(of: broken.ref) != nil)
    }

    // MARK: Rows that were seen

    private func syncer(knowing known: @escaping WorkerPoolSyncer.KnownRow) -> WorkerPoolSyncer {
        WorkerPoolSyncer(store: syncer.store, inventory: inventory, environment: .test(), known: known)
    }

    @Test func anActorWhoseRowWasSeenIsReleasedInOneTransactionAndNothingIsRead() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        let row = try await fixture.current("alice")
        try await running(syncer(knowing: { _ in row }).runAndRelease) {
            try await eventually("the worker is known") { inventory.row(worker.ref)?.binding != nil }
            etcd.resetCounts()
            try await fixture.store.etcd.revoke(worker.lease)
            let actor = try await becomesReleased("alice")
            #expect(etcd.counts.writeTransactions == 1 && etcd.counts.readTransactions == 0)
            try await expectReleased(actor.value, from: .running, worker, lastSnapshot: nil)
        }
    }

    /// The watch is late: since then the actor was suspended and resumed on the same worker.
    @Test func aRowThatIsOldDoesNoHarmAndTheActorIsReleasedAllTheSame() async throws {
        let lease = try await fixture.lease()
        let worker = try await fixture.register("worker", lease: lease)
        let other = try await fixture.register("other", lease: lease)
        for (name, worker) in [("alice", worker), ("bob", other)] {
            _ = try await fixture.createActor(name)
            try await fixture.running(name, on: worker)
        }
        let rows = [try await fixture.current("alice"), try await fixture.current("bob")]
        let refs = [fixture.ref("alice"), fixture.ref("bob")]
        try await fixture.suspended("alice", on: worker, nonce: "good")
        try await fixture.running("alice", on: worker)
        let claim = try await fixture.suspending("alice", on: worker, nonce: "unfinished")
        try await running(syncer(knowing: { ref in refs.firstIndex(of: ref).map { rows[$0] } }).runAndRelease) {
            try await eventually("the workers are known") {
                inventory.row(worker.ref)?.binding != nil && inventory.row(other.ref)?.binding != nil
            }
            etcd.resetCounts()
            try await fixture.store.etcd.revoke(lease)
            let alice = try await becomesReleased("alice")
            _ = try await becomesReleased("bob")
            #expect(alice.version == claim.actor.version + 1)
            let snapshot = SnapshotURI("file:///snapshots/uid-alice/good")
            try await expectReleased(alice.value, from: .suspending, worker, lastSnapshot: snapshot)
            // What the refusal has told need not be read.
            #expect(etcd.counts.readTransactions == 0)
        }
    }

    // MARK: Many at once

    @Test func aHundredWorkersLostAtOnceAreReleasedAlthoughOneActorIsBeingChanged() async throws {
        let lease = try await fixture.lease()
        let names = (0..<100).map { "actor-\($0)" }
        for name in names {
            let worker = try await fixture.register("worker-of-\(name)", lease: lease)
            _ = try await fixture.createActor(name)
            try await fixture.running(name, on: worker)
        }
        // Changed before each of the first three commits that it is part of, so that its batch loses its race each time.
        let changes = Counter()
        etcd.beforeWrite { [fixture] transaction in
            let key = fixture.store.keys.actor(fixture.ref("actor-7"))
            guard transaction.success.contains(where: { $0.puts(key) }), changes.next() < 3 else { return }
            let actor = try await fixture.current("actor-7")
            var changed = actor.value
            changed.workerSelector = Selector(matchLabels: ["change": "\(actor.version)"])
            _ = try await fixture.store.updateActor(fixture.ref("actor-7"), from: actor, to: changed)
        }
        try await running(syncer.runAndRelease) {
            try await eventually("all workers are known") {
                names.allSatisfy { inventory.row(fixture.workerRef("worker-of-\($0)"))?.binding != nil }
            }
            try await fixture.store.etcd.revoke(lease)
            for name in names {
                let actor = try await becomesReleased(name)
                #expect(actor.value.lastRecovery != nil)
            }
        }
        #expect(changes.next() >= 3)
    }

    /// As many actors, running on workers of one lease.
    private func run(_ names: [String], rowSize: Int = 0) async throws -> LeaseID {
        let lease = try await fixture.lease()
        for name in names {
            let worker = try await fixture.register("worker-of-\(name)", lease: lease)
            var actor = try await fixture.createActor(name)
            var large = actor.value
            // As a newer version of the control plane might fill it.
            large.unknownFields = UnknownFields([
                UnknownFields.Field(number: 1000, wireType: 2, data: lengthDelimited(rowSize))
            ])
            if rowSize > 0 { actor = try await fixture.store.updateActor(fixture.ref(name), from: actor, to: large) }
            try await fixture.running(name, on: worker)
        }
        return lease
    }

    /// The bytes of a field of that many zeros, behind their count.
    private func lengthDelimited(_ count: Int) -> [UInt8] {
        let length = [UInt8(count & 0x7f) | 0x80, UInt8(count >> 7 & 0x7f) | 0x80, UInt8(count >> 14)]
        return length + [UInt8](repeating: 0, count: count)
    }

    @Test func rowsThatAreTooLargeForOneTransactionGoInSeveral() async throws {
        let names = (0..<32).map { "actor-\($0)" }
        let lease = try await run(names, rowSize: 60_000)
        try await fixture.store.etcd.revoke(lease)
        try await running(syncer.runAndRelease) {
            for name in names { _ = try await becomesReleased(name) }
        }
        #expect(etcd.counts.writeTransactions == 2)
    }

    @Test func aReleaseThatIsRefusedForGoodDoesNotKeepOthersFromTheirs() async throws {
        let names = (0..<8).map { "actor-\($0)" }
        let lease = try await run(names)
        etcd.beforeWrite { [fixture] transaction in
            let key = fixture.store.keys.actor(fixture.ref("actor-3"))
            guard transaction.success.contains(where: { $0.puts(key) }) else { return }
            throw EtcdError(
                code: .invalidRequest, operation: "", endpoint: "", text: "refused", outcome: .notApplied)
        }
        try await fixture.store.etcd.revoke(lease)
        try await running(syncer.runAndRelease) {
            for name in names where name != "actor-3" { _ = try await becomesReleased(name) }
            #expect(try await fixture.current("actor-3").value.status == .running)
            // Once it is refused no more, it goes like the others.
            etcd.beforeWrite(nil)
            _ = try await becomesReleased("actor-3")
        }
    }

    @Test func aRowWithoutRoomForTheNoteIsReleasedWithoutIt() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        var actor = try await fixture.running("alice", on: worker)
        let binding = try #require(try await fixture.store.binding(of: worker.ref))
        actor.value.unknownFields = UnknownFields([
            UnknownFields.Field(number: 1000, wireType: 2, data: lengthDelimited(Codec.maximumSize - 200))
        ])
        let roomy = releaseActorOnDeadWorker(worker.ref, binding: binding, actor: actor, atMilliseconds: 1)
        let size = Codec.size(try #require(roomy.released))
        #expect(roomy.released?.lastRecovery != nil && size <= Codec.maximumSize)
        actor.value.unknownFields = UnknownFields([
            UnknownFields.Field(
                number: 1000, wireType: 2, data: lengthDelimited(Codec.maximumSize - 200 + Codec.maximumSize - size + 1)
            )
        ])
        let full = releaseActorOnDeadWorker(worker.ref, binding: binding, actor: actor, atMilliseconds: 1)
        #expect(full.released?.state == .suspended && full.released?.lastRecovery == nil)
        #expect(Codec.size(try #require(full.released)) <= Codec.maximumSize)
    }
}

extension Transaction.Operation {
    /// Whether it stores something under the key.
    fileprivate func puts(_ key: Key) -> Bool {
        if case .put(let put) = self { put.key == key } else { false }
    }
}
