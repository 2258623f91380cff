import Etcd
import History
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// The checker finds no fault with a life as the store's own steps make it, and each fault that is written past them.
@Suite struct HistoryCheckerTests {
    let fixture: StoreFixture

    init() async throws { fixture = try await StoreFixture(TestEtcd.store()) }

    /// A session of a replica, under which operations may be put.
    private func session() async throws -> LeaseID {
        let lease = try await fixture.lease()
        try await put(Key("\(fixture.store.keys.replicas)\(lease)"), Array("replica".utf8), lease)
        return lease
    }

    private func put(_ key: Key, _ value: [UInt8], _ lease: LeaseID? = nil) async throws {
        _ = try await fixture.store.etcd.transaction(
            Transaction().then(lease.map { .put(key, value, lease: $0) } ?? .put(key, value)))
    }

    private func claim(_ name: String, on worker: StoreFixture.Worker, _ session: LeaseID) async throws -> Claim {
        let actor = try await fixture.current(name)
        return try await fixture.store.claim(
            fixture.ref(name), actor, worker: worker.ref, presence: worker.presence,
            operation: fixture.operation(.resume), lease: session)
    }

    private func suspend(_ name: String, on worker: StoreFixture.Worker, _ session: LeaseID) async throws -> Claim {
        let actor = try await fixture.current(name)
        let binding = try #require(try await fixture.store.binding(of: worker.ref))
        return try await fixture.store.beginSuspend(
            fixture.ref(name), actor, worker: worker.ref, binding: binding,
            snapshot: SnapshotURI(location: "file:///snapshots", actorUID: actor.value.uid, nonce: "next"),
            operation: fixture.operation(.suspend), lease: session)
    }

    /// Everything that has happened under the root of this test.
    private func check(
        isConfirmed: @escaping HistoryChecker.Confirmed = { _, _ in true }
    ) async throws -> (checker: HistoryChecker, violations: [Violation], steps: [ActorStep.Kind]) {
        let store = fixture.store
        let end = Key("\(store.keys.root)end/\(UInt64.random(in: 0 ... .max))")
        try await put(end, [])
        var checker = HistoryChecker(keys: store.keys, isConfirmed: isConfirmed)
        var violations: [Violation] = []
        var steps: [ActorStep.Kind] = []
        for try await batch in store.etcd.watch(.prefix(Key(store.keys.root)), from: 1) {
            guard case .events(let events) = batch else { throw DidNotHappen(description: "a whole history") }
            for change in Change.changes(in: events) {
                if change.events.contains(where: { $0.key == end }) {
                    return (checker, violations, steps)
                }
                let outcome = checker.apply(change)
                violations += outcome.violations
                steps += outcome.steps.map(\.kind)
            }
        }
        throw DidNotHappen(description: "the end of the history")
    }

    @Test func aLifeByTheTableHasNoViolationAndEachStepIsTold() async throws {
        let session = try await session()
        let worker = try await fixture.register("a")
        _ = try await fixture.createActor("alice")
        _ = try await fixture.store.confirmRunning(try await claim("alice", on: worker, session), at: fixture.address)
        let suspending = try await suspend("alice", on: worker, session)
        guard case .suspending(_, let snapshot) = suspending.actor.value.state else {
            throw DidNotHappen(description: "")
        }
        _ = try await fixture.store.finishSuspend(suspending, snapshot: snapshot)
        _ = try await fixture.store.undoResume(try await claim("alice", on: worker, session))
        _ = try await fixture.store.confirmRunning(try await claim("alice", on: worker, session), at: fixture.address)
        try await fixture.store.etcd.revoke(worker.lease)
        let binding = try #require(try await fixture.store.binding(of: worker.ref))
        let actor = try await fixture.current("alice")
        let release = Release(
            worker: worker.ref, binding: binding, actor: actor,
            released: try actor.value.transition(.workerLost(atMilliseconds: 1)))
        guard case .committed = try await fixture.store.release([release]) else { throw DidNotHappen(description: "") }
        try await fixture.store.deleteActor(fixture.ref("alice"), try await fixture.current("alice"))
        let (checker, violations, steps) = try await check()
        #expect(violations.isEmpty)
        #expect(checker.leftovers().isEmpty)
        #expect(
            steps == [
                .created, .claimed, .running, .suspendBegan, .suspended, .claimed, .undone, .claimed, .running,
                .released, .deleted,
            ])
    }

    @Test func aReleaseFromAWorkerThatIsThereIsFound() async throws {
        let worker = try await fixture.register("a")
        _ = try await fixture.createActor("alice")
        _ = try await fixture.store.confirmRunning(try await claim("alice", on: worker, session()), at: fixture.address)
        let released = try await fixture.current("alice").value.transition(.workerLost(atMilliseconds: 1))
        _ = try await fixture.store.etcd.transaction(
            Transaction().then(
                .put(fixture.store.keys.actor(fixture.ref("alice")), released.record(after: Codec.magic)),
                .delete(fixture.store.keys.bound(worker.ref))))
        let found = try await check().violations
        #expect(found.map(\.promise) == [.steps], "\(found)")
        #expect(found.first?.text.contains("not lost") == true)
    }

    @Test func anActorWhoseBindingIsMissingIsFound() async throws {
        let worker = try await fixture.register("a")
        _ = try await fixture.createActor("alice")
        _ = try await claim("alice", on: worker, session())
        _ = try await fixture.store.etcd.transaction(
            Transaction().then(.delete(fixture.store.keys.bound(worker.ref))))
        #expect(try await check().violations.map(\.promise) == [.agreement])
    }

    @Test func twoBindingsOfOneActorAreFound() async throws {
        let worker = try await fixture.register("a")
        let other = try await fixture.register("b")
        _ = try await fixture.createActor("alice")
        let claim = try await claim("alice", on: worker, session())
        var binding = claim.binding.value
        binding.incarnation = other.presence.incarnation
        try await put(fixture.store.keys.bound(other.ref), binding.record(after: Codec.magic))
        #expect(try await check().violations.map(\.promise) == [.agreement])
    }

    @Test func aSnapshotThatNoNodeHasConfirmedIsFound() async throws {
        let session = try await session()
        let worker = try await fixture.register("a")
        _ = try await fixture.createActor("alice")
        _ = try await fixture.store.confirmRunning(try await claim("alice", on: worker, session), at: fixture.address)
        let suspending = try await suspend("alice", on: worker, session)
        guard case .suspending(_, let snapshot) = suspending.actor.value.state else {
            throw DidNotHappen(description: "")
        }
        _ = try await fixture.store.finishSuspend(suspending, snapshot: snapshot)
        #expect(try await check(isConfirmed: { _, _ in false }).violations.map(\.promise) == [.snapshots])
    }

    @Test func aSnapshotThatIsPromotedOutsideOfASuspendIsFound() async throws {
        _ = try await fixture.createActor("alice")
        var changed = try await fixture.current("alice").value
        changed.lastSnapshot = SnapshotURI("file:///snapshots/made-up")
        _ = try await fixture.store.updateActor(
            fixture.ref("alice"), from: try await fixture.current("alice"), to: changed)
        #expect(try await check().violations.map(\.promise) == [.steps])
    }

    @Test func aClaimOfADrainingWorkerIsFound() async throws {
        let worker = try await fixture.register("a")
        var presence = worker.presence.value
        presence.drainingUntilMilliseconds = 1
        try await put(fixture.store.keys.live(worker.ref), presence.record(after: Codec.magic), worker.lease)
        let live = try #require(
            try await fixture.store.etcd.range(.key(fixture.store.keys.live(worker.ref))).pairs.first)
        var draining = worker
        draining.presence = try Codec.decode(live)
        _ = try await fixture.createActor("alice")
        _ = try await claim("alice", on: draining, session())
        let found = try await check().violations
        #expect(found.count == 1 && found.first?.text.contains("drains") == true, "\(found)")
    }

    @Test func anOperationThatOutlivesItsSessionIsFound() async throws {
        let session = try await session()
        let worker = try await fixture.register("a")
        _ = try await fixture.createActor("alice")
        _ = try await claim("alice", on: worker, session)
        _ = try await fixture.store.etcd.transaction(
            Transaction().then(.delete(Key("\(fixture.store.keys.replicas)\(session)"))))
        let (checker, violations, _) = try await check()
        #expect(violations.map(\.promise) == [.progress])
        #expect(checker.leftovers().map(\.promise) == [.progress])
    }

    @Test func whatNobodyHasInHandIsLeftOver() async throws {
        let session = try await session()
        let worker = try await fixture.register("a")
        _ = try await fixture.createActor("alice")
        let claim = try await claim("alice", on: worker, session)
        try await fixture.store.etcd.revoke(session)
        let abandoned = try await check().checker
        #expect(Set(abandoned.unattended.keys) == [fixture.ref("alice")])
        #expect(abandoned.leftovers().map(\.promise) == [.progress])
        // Once the worker is lost it is the release's.
        try await fixture.store.etcd.revoke(worker.lease)
        let lost = try await check().checker
        #expect(lost.unattended.isEmpty && Set(lost.lost.keys) == [claim.worker])
        #expect(lost.leftovers().map(\.promise) == [.release])
    }
}
