import Etcd
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// What is stored of a drain: the orders, and the marks on the presences.
@Suite struct DrainStepTests {
    let etcd: InterceptedEtcd
    let fixture: StoreFixture
    var store: Store { fixture.store }

    init() async throws {
        let base = try await TestEtcd.store()
        etcd = InterceptedEtcd(base.etcd)
        fixture = try await StoreFixture(Store(etcd: etcd, keys: base.keys))
    }

    private func order(_ grace: Int64) -> DrainOrder { DrainOrder(graceMilliseconds: grace, orderedAtMilliseconds: 5) }

    @Test func anOrderIsStoredReplacedAndTakenBack() async throws {
        let node = DrainTarget.node(PoolRef(namespace: "default", name: "a.b"), "node")
        let worker = DrainTarget.worker(fixture.workerRef("node-0"))
        #expect(try await !store.undrain(node))
        try await store.drain(node, order(1))
        try await store.drain(worker, order(2))
        try await store.drain(node, order(3))
        let orders = try await store.listDrainOrders()
        #expect(orders.mapValues(\.value) == [node: order(3), worker: order(2)])
        #expect(orders[node]?.version == 2)
        // They lie under the prefix of the workers, and are none.
        let listing = try await store.listWorkers()
        #expect(listing.live.isEmpty && listing.bound.isEmpty && listing.unreadable.isEmpty)
        #expect(try await store.undrain(node))
        #expect(try await store.listDrainOrders().keys.sorted() == [worker])
    }

    @Test func aMarkKeepsTheIncarnationAndTheLease() async throws {
        let worker = try await fixture.register("worker")
        let marked = try #require(
            try await store.mark(worker.ref, worker.presence, drainingUntilMilliseconds: 99, lease: worker.lease))
        #expect(try await store.presence(of: worker.ref) == marked)
        #expect(marked.incarnation == worker.presence.incarnation && marked.value.drainingUntilMilliseconds == 99)
        let free = try #require(
            try await store.mark(worker.ref, marked, drainingUntilMilliseconds: nil, lease: worker.lease))
        #expect(free.value == worker.presence.value)
        try await store.etcd.revoke(worker.lease)
        #expect(try await store.presence(of: worker.ref) == nil)
    }

    @Test func aMarkIsNotPutOnAnotherIncarnation() async throws {
        let worker = try await fixture.register("worker")
        try await store.withdraw(worker.ref, worker.presence.incarnation)
        #expect(
            try await store.mark(worker.ref, worker.presence, drainingUntilMilliseconds: 1, lease: worker.lease) == nil)
        let next = try await fixture.register("worker")
        #expect(
            try await store.mark(worker.ref, worker.presence, drainingUntilMilliseconds: 1, lease: worker.lease) == nil)
        #expect(try await store.presence(of: worker.ref) == next.presence)
    }

    @Test func aMarkUnderADeadLeaseIsALostSession() async throws {
        let worker = try await fixture.register("worker")
        let other = try await fixture.lease()
        try await store.etcd.revoke(other)
        await #expect(throws: StoreError.sessionLost) {
            try await store.mark(worker.ref, worker.presence, drainingUntilMilliseconds: 1, lease: other)
        }
    }

    @Test func aClaimThatHasNotSeenTheMarkIsRefused() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        _ = try await store.mark(worker.ref, worker.presence, drainingUntilMilliseconds: 1, lease: worker.lease)
        await #expect(throws: StoreError.self) { try await fixture.resuming("alice", on: worker) }
        #expect(try await fixture.current("alice").value.state == .suspended)
    }

    @Test func aWorkerThatDrainsIsNotReleasedWhileItIsLive() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        let alice = try await fixture.running("alice", on: worker)
        let binding = try #require(try await store.binding(of: worker.ref))
        _ = try await store.mark(worker.ref, worker.presence, drainingUntilMilliseconds: 1, lease: worker.lease)
        let released = try alice.value.transition(.workerLost(atMilliseconds: 1))
        let release = Release(worker: worker.ref, binding: binding, actor: alice, released: released)
        guard case .refused(let losers) = try await store.release([release]) else {
            Issue.record("the actor was released from a worker that is live")
            return
        }
        #expect(losers.keys.elementsEqual([worker.ref]))
        #expect(try await fixture.current("alice") == alice)
    }

    @Test func whatIsToFollowADrainIsKnownToWhoeverEndsTheSuspend() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        let alice = try await fixture.running("alice", on: worker)
        let binding = try #require(try await store.binding(of: worker.ref))
        let snapshot = SnapshotURI("file:///snapshots/uid-alice/1")
        let recovery = Recovery(worker: worker.ref, statusBefore: .running, releasedAtMilliseconds: 7, next: .resume)
        let claim = try await store.beginSuspend(
            fixture.ref("alice"), alice, worker: worker.ref, binding: binding, snapshot: snapshot, recovery: recovery,
            operation: fixture.operation(.suspend), lease: try await fixture.lease())
        let stored = try await fixture.current("alice").value
        #expect(stored.lastRecovery == recovery && !stored.isResumeDue)
        // When it runs on, nothing is due any more.
        #expect(try stored.transition(.runningConfirmed(at: fixture.address)).lastRecovery?.next == .request)
        // When its worker is lost in the middle, it is as if it had left.
        #expect(try stored.transition(.workerLost(atMilliseconds: 9, policy: .resume)).isResumeDue)
        #expect(try await store.finishSuspend(claim, snapshot: snapshot).value.isResumeDue)
    }
}
