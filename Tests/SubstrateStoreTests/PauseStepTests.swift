import Etcd
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// The transactions of a pause, and of what follows it, against a real etcd.
@Suite struct PauseStepTests {
    let fixture: StoreFixture
    var store: Store { fixture.store }

    init() async throws { fixture = try await StoreFixture(TestEtcd.store()) }

    private func conflict(_ body: () async throws -> Void) async throws -> Rows {
        do {
            try await body()
        } catch StoreError.conflict(let rows) {
            return rows
        }
        throw DidNotHappen(description: "a conflict")
    }

    /// Alice, running with a last external snapshot.
    private func running() async throws -> StoreFixture.Worker {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        try await fixture.suspended("alice", on: worker, nonce: "external")
        try await fixture.running("alice", on: worker)
        return worker
    }

    private let external = SnapshotURI("file:///snapshots/uid-alice/external")

    @Test func aPausedActorKeepsItsExternalSnapshotBesideTheLocalOneAndFreesItsWorker() async throws {
        let worker = try await running()
        let pausing = try await fixture.pausing("alice", on: worker, nonce: "here")
        #expect(pausing.actor.value.status == .pausing && pausing.actor.value.localSnapshot == nil)
        #expect(pausing.actor.value.state.inProgressSnapshot?.text == "uid-alice/here")
        let name = try #require(LocalSnapshotName("uid-alice/here"))
        let paused = try await store.finishPause(pausing, snapshot: name)
        #expect(paused.value.state == .paused && paused.value.lastSnapshot == external)
        #expect(
            paused.value.localSnapshot == LocalSnapshot(name: name, node: "node", directoryID: "directory"))
        #expect(try await fixture.current("alice") == paused)
        let rows = try await store.rows(fixture.ref("alice"), on: worker.ref)
        #expect(rows.binding == nil && rows.operation == nil)
    }

    @Test func everyKeyThatTheBeginningOfAPauseComparesCanRefuseIt() async throws {
        let worker = try await running()
        let actor = try await fixture.current("alice")
        let binding = try #require(try await store.binding(of: worker.ref))
        let name = try #require(LocalSnapshotName("uid-alice/here"))
        let lease = try await fixture.lease()
        func begin(_ actor: Stored<Actor>, _ binding: Stored<Binding>) async throws -> Claim {
            try await store.beginPause(
                fixture.ref("alice"), actor, worker: worker.ref, binding: binding,
                snapshot: LocalSnapshot(name: name, node: "node", directoryID: "directory"),
                operation: fixture.operation(.pause), lease: lease)
        }
        var older = binding
        older.modRevision -= 1
        #expect(try await conflict { _ = try await begin(actor, older) }.binding == binding)
        let updated = try await store.updateActor(fixture.ref("alice"), from: actor, to: actor.value)
        #expect(try await conflict { _ = try await begin(actor, binding) }.actor == updated)
        let claim = try await begin(updated, binding)
        // Whoever has seen the actor as it was before is refused, by the actor and by the operation.
        #expect(try await conflict { _ = try await begin(updated, binding) }.operation?.token == claim.token)
    }

    @Test func aPauseEndsOnlyWithTheSnapshotOfItsRowAndItsOperation() async throws {
        let worker = try await running()
        let claim = try await fixture.pausing("alice", on: worker, nonce: "here")
        let other = try #require(LocalSnapshotName("uid-alice/other"))
        await #expect(throws: StoreError.self) { _ = try await store.finishPause(claim, snapshot: other) }
        await #expect(throws: StoreError.self) { _ = try await store.finishSuspend(claim, snapshot: external) }
        _ = try await store.etcd.transaction(Transaction().then(.delete(store.keys.operation(claim.ref))))
        let name = try #require(LocalSnapshotName("uid-alice/here"))
        _ = try await conflict { _ = try await store.finishPause(claim, snapshot: name) }
        _ = try await conflict { _ = try await store.abandon(claim) }
        _ = try await conflict { _ = try await store.confirmRunning(claim, at: fixture.address) }
        #expect(try await fixture.current("alice") == claim.actor)
    }

    @Test func aRevokedBindingRefusesTheEndOfAPause() async throws {
        let worker = try await running()
        let claim = try await fixture.pausing("alice", on: worker, nonce: "here")
        _ = try await store.revoke(claim)
        let name = try #require(LocalSnapshotName("uid-alice/here"))
        _ = try await conflict { _ = try await store.finishPause(claim, snapshot: name) }
    }

    @Test func aPauseThatComesToNothingLeavesNoTrace() async throws {
        let worker = try await running()
        let before = try await fixture.current("alice")
        let claim = try await fixture.pausing("alice", on: worker)
        let back = try await store.confirmRunning(claim, at: fixture.address)
        #expect(back.actor.value == before.value && back.binding.value.phase == .ready)
        let abandoned = try await store.abandon(try await fixture.pausing("alice", on: worker))
        #expect(abandoned.value.state == .suspended)
        #expect(abandoned.value.lastSnapshot == external && abandoned.value.localSnapshot == nil)
        #expect(try await store.binding(of: worker.ref) == nil)
    }

    @Test func aWorkerThatIsLostUnderAPauseLeavesTheActorAtItsExternalSnapshot() async throws {
        let worker = try await running()
        let claim = try await fixture.pausing("alice", on: worker)
        try await store.etcd.revoke(worker.lease)
        let release = Release(
            worker: worker.ref, binding: claim.binding, actor: claim.actor,
            released: try claim.actor.value.transition(.workerLost(atMilliseconds: 9)))
        guard case .committed = try await store.release([release]) else {
            Issue.record("the release was refused")
            return
        }
        let actor = try await fixture.current("alice").value
        #expect(actor.state == .suspended && actor.lastSnapshot == external && actor.localSnapshot == nil)
        #expect(actor.lastRecovery?.statusBefore == .pausing)
        let rows = try await store.rows(fixture.ref("alice"), on: worker.ref)
        #expect(rows.binding == nil && rows.operation == nil)
    }

    @Test func aResumeOfAPausedActorGoesBackToPausedOrForgetsTheLocalSnapshot() async throws {
        let worker = try await running()
        let paused = try await fixture.paused("alice", on: worker)
        let undone = try await store.undoResume(try await fixture.resuming("alice", on: worker))
        #expect(undone.value == paused.value)
        let running = try await store.confirmRunning(
            try await fixture.resuming("alice", on: worker), at: fixture.address
        ).actor
        #expect(running.value.status == .running)
        #expect(running.value.localSnapshot == nil && running.value.lastSnapshot == external)
    }
}
