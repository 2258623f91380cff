import Etcd
import Foundation
import GRPC
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@testable import NodeAgent

/// Local snapshots of real processes, on an agent with its registration.
@Suite struct LocalSnapshotTests {
    let fixture: StoreFixture
    let files = TemporaryDirectory()
    let runtime: ProcessRuntime
    let worker: WorkerRef
    let watchdog: ProcessWatchdog

    init() async throws {
        fixture = try await StoreFixture(TestEtcd.store())
        worker = fixture.workerRef("node-0")
        let directory = try StateDirectory(path: "\(files.path)/state", newID: { "directory" })
        runtime = ProcessRuntime(
            directory: directory, snapshots: SnapshotDirectory(root: "\(files.path)/snapshots"), log: .none)
        watchdog = ProcessWatchdog(directory: directory, executable: WatchdogTests.atelet)
    }

    private var snapshots: LocalSnapshots { runtime.localSnapshots }

    /// Runs an agent on the same state directory as every other of this test.
    private func withAgent(
        collecting interval: Duration = .seconds(600), retention: Duration = .zero, store: Store? = nil,
        _ body: (WorkerSlot) async throws -> Void
    ) async throws {
        let slots = WorkerSlots()
        var options = NodeOptions(
            node: "node", pool: fixture.pool.ref, workers: 1, addresses: .pretended,
            agentAddress: "here:1", leaseTimeToLive: .seconds(60), leaseMargin: .seconds(12))
        options.collectionInterval = interval
        options.localSnapshotRetention = retention
        let agent = NodeAgent(
            options: options, slots: slots, store: store ?? fixture.store, runtime: runtime,
            watchdog: watchdog, environment: .test(), bootID: "boot", directoryID: "directory",
            addressLedger: AddressNotes())
        try await running(agent.run) {
            try await body(try await eventualValue("the worker is registered") { slots.slot(of: worker) })
        }
    }

    private func held(_ slot: WorkerSlot) -> StoreFixture.Worker {
        StoreFixture.Worker(ref: slot.ref, presence: slot.presence, lease: LeaseID(1))
    }

    private func workload(_ script: String) -> Workload {
        Workload(
            actor: fixture.ref("alice"), actorUID: "uid-alice", template: fixture.template.ref,
            containers: [Container(name: "main", command: ["/bin/sh", "-c", script])])
    }

    private func file(_ name: String, _ epoch: Epoch) -> String? {
        let path = runtime.directory.activation(pod: "node-0", epoch: epoch).durable
        return FileManager.default.contents(atPath: "\(path)/\(name)").map { String(decoding: $0, as: UTF8.self) }
    }

    /// Has alice write a file and pauses her.
    @discardableResult
    private func pause(_ slot: WorkerSlot, nonce: String, from origin: Snapshot? = nil) async throws
        -> LocalSnapshotName
    {
        let resume = try await fixture.resuming("alice", on: held(slot))
        _ = try await slot.start(workload("echo kept > file; echo > ready; exec sleep 60"), from: origin, resume.fences)
        try await eventually("the file is written") { file("ready", resume.binding.epoch) != nil }
        _ = try await fixture.store.confirmRunning(resume, at: fixture.address)
        let claim = try await fixture.pausing("alice", on: held(slot), nonce: nonce)
        let snapshot = try #require(claim.actor.value.state.inProgressSnapshot)
        let receipt = try await slot.checkpoint(to: snapshot, claim.fences)
        #expect(receipt.state == .checkpointed(snapshot))
        // Repeated under the same token, the receipt is the same.
        let again = try await slot.checkpoint(to: snapshot, claim.fences)
        #expect(again == receipt)
        let name = try #require(snapshot.localName)
        _ = try await fixture.store.finishPause(claim, snapshot: name)
        return name
    }

    /// Starts alice from the snapshot, in a claim of her own.
    private func restore(_ slot: WorkerSlot, _ snapshot: LocalSnapshotName) async throws -> Claim {
        let resume = try await fixture.resuming("alice", on: held(slot))
        _ = try await slot.start(
            workload("cat file > copy; exec sleep 60"), from: .local(snapshot), resume.fences)
        return resume
    }

    @Test func aLocalSnapshotSurvivesTheAgentAndGoesWhenTheActorRunsAgain() async throws {
        _ = try await fixture.createActor("alice")
        var name: LocalSnapshotName?
        try await withAgent { slot in name = try await pause(slot, nonce: "one") }
        let kept = try #require(name)
        #expect(snapshots.all == [kept])
        try await withAgent { slot in
            let resume = try await restore(slot, kept)
            try await eventually("what was written is read") { file("copy", resume.binding.epoch) == "kept\n" }
            // Until that is written down the snapshot may be needed again, whatever else is heard of the binding.
            slot.take(try await fixture.store.binding(of: worker), at: resume.binding.modRevision)
            #expect(snapshots.all == [kept])
            _ = try await fixture.store.confirmRunning(resume, at: fixture.address)
            try await eventually("the snapshot is removed") { snapshots.all.isEmpty }
        }
    }

    @Test func aNewerLocalSnapshotReplacesTheOlderOnesOfItsActor() async throws {
        try await withAgent(collecting: .milliseconds(20)) { slot in
            _ = try await fixture.createActor("alice")
            let stale = try #require(LocalSnapshotName("uid-alice/stale"))
            // Of an actor that nothing is known of: nobody can say that it is not wanted.
            let unknown = try #require(LocalSnapshotName("uid-bob/other"))
            for name in [stale, unknown] {
                try FileManager.default.createDirectory(
                    atPath: try #require(snapshots.uri(of: name).filePath), withIntermediateDirectories: true)
            }
            let name = try await pause(slot, nonce: "one")
            try await eventually("the older one is removed") { snapshots.all == [name, unknown] }
        }
    }

    @Test func aPathWithDotsInItIsTheSameDirectory() {
        #expect(LocalSnapshots(root: "/a/./b//c/").root == "/a/b/c")
    }

    @Test(arguments: ["manifest.json", "durable.tar.zst"])
    func aDamagedLocalSnapshotFailsTheResumeWithItsReason(_ damaged: String) async throws {
        try await withAgent { slot in
            _ = try await fixture.createActor("alice")
            let name = try await pause(slot, nonce: "one")
            let path = try #require(snapshots.uri(of: name).filePath)
            try Data("{}".utf8).write(to: URL(fileURLWithPath: "\(path)/\(damaged)"))
            let error = await #expect(throws: NodeFailure.self) { _ = try await restore(slot, name) }
            // Not "missing": nobody may give up what an operator may still repair.
            #expect(error?.receipt?.state == .notRunning)
            #expect(error?.status.code == .dataLoss)
            #expect(error?.status.message.contains("is damaged") == true)
            #expect(error?.status.message.contains("When its directory is removed") == true)
            #expect(snapshots.all == [name])
        }
    }

    @Test func aLocalSnapshotThatIsNotHereIsSaidToBeMissing() async throws {
        try await withAgent { slot in
            _ = try await fixture.createActor("alice")
            let name = try #require(LocalSnapshotName("uid-alice/gone"))
            let error = await #expect(throws: NodeFailure.self) { _ = try await restore(slot, name) }
            #expect(error?.receipt?.state == .noSnapshot && error?.status.code == .notFound)
        }
    }

    @Test func anExternalSnapshotMayNotLieAmongTheLocalOnes() async throws {
        try await withAgent { slot in
            _ = try await fixture.createActor("alice")
            let resume = try await fixture.resuming("alice", on: held(slot))
            let inside = Snapshot.external(SnapshotURI("file:///\(snapshots.root)//uid-alice/1"))
            let error = await #expect(throws: NodeFailure.self) {
                _ = try await slot.start(workload("exec sleep 60"), from: inside, resume.fences)
            }
            #expect(error?.status.message.contains("lies where this node keeps local snapshots") == true)
        }
    }

    @Test func aSnapshotIsNotCollectedBeforeItsPauseIsWrittenDown() async throws {
        try await withAgent(collecting: .milliseconds(20)) { slot in
            _ = try await fixture.createActor("alice")
            let resume = try await fixture.resuming("alice", on: held(slot))
            _ = try await slot.start(workload("exec sleep 60"), from: nil, resume.fences)
            _ = try await fixture.store.confirmRunning(resume, at: fixture.address)
            let claim = try await fixture.pausing("alice", on: held(slot), nonce: "one")
            let name = try #require(LocalSnapshotName("uid-alice/one"))
            _ = try await slot.checkpoint(to: .local(name), claim.fences)
            // They are looked at in order: once the second is removed, the first has been looked at.
            let leftOver = try #require(LocalSnapshotName("uid-alice/two"))
            try FileManager.default.createDirectory(
                atPath: try #require(snapshots.uri(of: leftOver).filePath), withIntermediateDirectories: true)
            try await eventually("the other one is removed") { !snapshots.contains(leftOver) }
            #expect(snapshots.all == [name])
        }
    }

    @Test func whatNoActorWantsIsCollectedAndWhatOneDoesWantIsNot() async throws {
        _ = try await fixture.createActor("alice")
        var name: LocalSnapshotName?
        try await withAgent { slot in name = try await pause(slot, nonce: "one") }
        let kept = try #require(name)
        // Left over by a pause that was released, by an agent that was killed while it wrote, and by an actor that is gone.
        let leftOver = try #require(LocalSnapshotName("uid-alice/left"))
        let orphan = try #require(LocalSnapshotName("uid-bob/one"))
        try snapshots.noteOwner(fixture.ref("bob"), uid: "uid-bob")
        for name in [leftOver.text, orphan.text, "uid-alice/.half.partial"] {
            try FileManager.default.createDirectory(
                atPath: "\(snapshots.root)/\(name)", withIntermediateDirectories: true)
        }
        try await withAgent(collecting: .milliseconds(20)) { slot in
            try await eventually("both are removed") { snapshots.all == [kept] }
            #expect(!FileManager.default.fileExists(atPath: "\(snapshots.root)/uid-alice/.half.partial"))
            // A resume still has it; only an actor that runs does not.
            let resume = try await restore(slot, kept)
            _ = try await fixture.store.undoResume(resume)
        }
        // Resumed elsewhere meanwhile.
        let other = try await fixture.register("other")
        try await fixture.running("alice", on: other)
        #expect(snapshots.all == [kept])
        try await withAgent { _ in
            try await eventually("it is removed at the start") { snapshots.all.isEmpty }
        }
    }

    /// The agent was started with another root, or etcd restored from the wrong backup: nobody is known here.
    @Test func whatNobodyWantsIsKeptForAWhile() async throws {
        _ = try await fixture.createActor("alice")
        var name: LocalSnapshotName?
        try await withAgent { slot in name = try await pause(slot, nonce: "one") }
        let kept = try #require(name)
        let alice = try await fixture.current("alice")
        let key = fixture.store.keys.actor(fixture.ref("alice"))
        _ = try await fixture.store.etcd.transaction(Transaction().then(.delete(key)))
        let etcd = InterceptedEtcd(fixture.store.etcd)
        let store = Store(etcd: etcd, keys: fixture.store.keys)
        try await withAgent(collecting: .milliseconds(1), retention: .seconds(3600), store: store) { _ in
            let before = etcd.counts.ranges
            try await eventually("it has been looked for her often") { etcd.counts.ranges > before + 20 }
            #expect(snapshots.all == [kept])
        }
        // The right etcd again.
        _ = try await fixture.store.etcd.transaction(
            Transaction().then(.put(key, alice.value.record(after: Codec.magic))))
        try await withAgent { slot in
            let resume = try await restore(slot, kept)
            try await eventually("what was written is read") { file("copy", resume.binding.epoch) == "kept\n" }
        }
    }
}
