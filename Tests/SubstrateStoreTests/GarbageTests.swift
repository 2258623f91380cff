import Etcd
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// A snapshot that a row names no more is noted by the very transaction that drops it, against a real etcd.
@Suite struct GarbageTests {
    let etcd: InterceptedEtcd
    let fixture: StoreFixture
    private let now = Shared<Int64>(1_700_000_000_000)
    var store: Store { fixture.store }

    init() async throws {
        let base = try await TestEtcd.store()
        etcd = InterceptedEtcd(base.etcd)
        let now = now
        fixture = try await StoreFixture(Store(etcd: etcd, keys: base.keys) { now.current })
    }

    private func uri(_ nonce: String, of name: String = "alice") -> SnapshotURI {
        SnapshotURI("file:///snapshots/uid-\(name)/\(nonce)")
    }

    private func garbage(until time: Int64 = .max - 1) async throws -> [Stored<DroppedSnapshot>] {
        let page = try await store.garbage(untilMilliseconds: time, behind: nil, limit: 1000)
        #expect(page.unreadable.isEmpty && page.next == nil)
        return page.dropped
    }

    /// Alice, running with the last snapshot `first`.
    private func running() async throws -> StoreFixture.Worker {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        try await fixture.running("alice", on: worker)
        try await fixture.suspended("alice", on: worker, nonce: "first")
        try await fixture.running("alice", on: worker)
        return worker
    }

    @Test func aSuspendNotesTheSnapshotThatItReplaces() async throws {
        let worker = try await running()
        #expect(try await garbage().isEmpty)
        let suspended = try await fixture.suspended("alice", on: worker, nonce: "second")
        let note = try #require(try await garbage().first)
        #expect(
            note.value
                == DroppedSnapshot(
                    snapshot: uri("first"), actor: fixture.ref("alice"), droppedAtMilliseconds: 1_700_000_000_000))
        #expect(note.modRevision == suspended.modRevision)
        #expect(try await garbage().count == 1)
    }

    @Test func aSuspendThatComesToNothingNotesTheSnapshotInProgress() async throws {
        let worker = try await running()
        _ = try await store.confirmRunning(
            try await fixture.suspending("alice", on: worker, nonce: "failed"), at: fixture.address)
        _ = try await store.abandon(try await fixture.suspending("alice", on: worker, nonce: "abandoned"))
        #expect(Set(try await garbage().map(\.value.snapshot)) == [uri("failed"), uri("abandoned")])
        #expect(try await fixture.current("alice").value.lastSnapshot == uri("first"))
    }

    @Test func aDeletionNotesTheLastSnapshotAndClearingEverySnapshotThereIs() async throws {
        let worker = try await running()
        let actor = try await fixture.suspended("alice", on: worker, nonce: "second")
        try await store.deleteActor(fixture.ref("alice"), actor)
        #expect(Set(try await garbage().map(\.value.snapshot)) == [uri("first"), uri("second")])
        for name in ["bob", "carol"] {
            _ = try await fixture.createActor(name)
            try await fixture.running(name, on: worker)
            try await fixture.suspended(name, on: worker, nonce: "only")
        }
        try await store.clear()
        let noted = Set(try await garbage().map(\.value.snapshot))
        #expect(noted == [uri("first"), uri("second"), uri("only", of: "bob"), uri("only", of: "carol")])
    }

    @Test func whatDropsNoExternalSnapshotNotesNothing() async throws {
        let worker = try await running()
        try await fixture.paused("alice", on: worker)
        _ = try await store.undoResume(try await fixture.resuming("alice", on: worker))
        try await fixture.running("alice", on: worker)
        _ = try await store.abandon(try await fixture.pausing("alice", on: worker, nonce: "local"))
        let actor = try await fixture.current("alice")
        _ = try await store.updateActor(fixture.ref("alice"), from: actor, to: actor.value)
        #expect(try await garbage().isEmpty)
    }

    @Test func aStepWhoseAnswerWasLostIsFoundToBeDoneWithItsNote() async throws {
        let worker = try await running()
        let claim = try await fixture.suspending("alice", on: worker, nonce: "second")
        let once = Once()
        etcd.afterWrite { _ in
            if once.isFirst() {
                throw EtcdError(code: .unavailable, operation: "", endpoint: "", text: "answer lost", outcome: .unknown)
            }
        }
        let suspended = try await store.finishSuspend(claim, snapshot: uri("second"))
        #expect(try await fixture.current("alice") == suspended)
        #expect(try await garbage().map(\.value.snapshot) == [uri("first")])
    }

    @Test func aFullBatchOfActorsThatWereBeingSuspendedIsReleasedInOneTransaction() async throws {
        let lease = try await fixture.lease()
        var releases: [Release] = []
        for index in 0..<Store.maximumReleases {
            let name = "actor-\(index)"
            let worker = try await fixture.register("worker-\(index)", lease: lease)
            _ = try await fixture.createActor(name)
            try await fixture.running(name, on: worker)
            let claim = try await fixture.suspending(name, on: worker, nonce: "unfinished")
            releases.append(
                Release(
                    worker: worker.ref, binding: claim.binding, actor: claim.actor,
                    released: try claim.actor.value.after(.workerLost(atMilliseconds: 1))))
        }
        try await store.etcd.revoke(lease)
        guard case .committed(let revision) = try await store.release(releases) else {
            throw DidNotHappen(description: "the release")
        }
        let notes = try await garbage()
        #expect(notes.count == Store.maximumReleases && notes.allSatisfy { $0.modRevision == revision })
        #expect(Set(notes.map(\.value.snapshot.text)).count == Store.maximumReleases)
    }

    @Test func theOldestComeFirstAndOnlyThoseUntilTheTime() async throws {
        let worker = try await running()
        for (index, time) in [5_000, 999, 70_000_000_000_000, 1000].enumerated() {
            now.withLock { $0 = Int64(time) }
            try await fixture.suspended("alice", on: worker, nonce: "n\(index)")
            try await fixture.running("alice", on: worker)
        }
        #expect(try await garbage().map(\.value.droppedAtMilliseconds) == [999, 1000, 5000, 70_000_000_000_000])
        #expect(try await garbage(until: 1000).map(\.value.droppedAtMilliseconds) == [999, 1000])
        #expect(try await garbage(until: 998).isEmpty)
        let first = try await store.garbage(untilMilliseconds: 5000, behind: nil, limit: 2)
        let second = try await store.garbage(untilMilliseconds: 5000, behind: first.next, limit: 2)
        #expect(first.dropped.count == 2 && second.dropped.map(\.value.droppedAtMilliseconds) == [5000])
        #expect(second.next == nil)
    }

    @Test func aNoteIsForgottenOnceAndTwoAreAsGood() async throws {
        let worker = try await running()
        try await fixture.suspended("alice", on: worker, nonce: "second")
        let note = try #require(try await garbage().first)
        try await store.forget(note)
        try await store.forget(note)
        #expect(try await garbage().isEmpty)
    }

    @Test func aNoteThatCannotBeReadDoesNotHideTheOthers() async throws {
        let worker = try await running()
        let folder = "\(store.keys.root)snapshots/garbage/"
        for key in ["000000000000001/file:///x", "nonsense"] {
            _ = try await store.etcd.transaction(Transaction().then(.put(Key(folder + key), [1])))
        }
        try await fixture.suspended("alice", on: worker, nonce: "second")
        let page = try await store.garbage(untilMilliseconds: .max - 1, behind: nil, limit: 10)
        #expect(page.dropped.count == 1 && page.unreadable.count == 1)
    }

    @Test func notesAreNotAmongWhatTheLeaderWatchesOfActorsAndOperations() async throws {
        let worker = try await running()
        try await fixture.suspended("alice", on: worker, nonce: "second")
        let watched = try await store.etcd.list(store.keys.lifecycle).pairs.map { "\($0.key)" }
        #expect(watched.contains { $0.hasSuffix("actors/default/alice") })
        #expect(!watched.contains { $0.contains("garbage") })
    }
}
