import Etcd
import GRPC
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// What an agent does about a drain, without a control plane that would suspend its actors.
@Suite struct DrainTests {
    let fixture: StoreFixture
    let runtime = InstantRuntime()
    let slots = WorkerSlots()
    let drain: NodeDrain
    let etcd: InterceptedEtcd

    init() async throws {
        fixture = try await StoreFixture(TestEtcd.store())
        drain = NodeDrain(environment: .test())
        etcd = InterceptedEtcd(fixture.store.etcd)
    }

    private func agent(workers: Int = 1) -> NodeAgent {
        NodeAgent(
            options: NodeOptions(
                node: "node", pool: fixture.pool.ref,
                workers: workers, addresses: .pretended, agentAddress: "here:1",
                leaseTimeToLive: .seconds(60), leaseMargin: .seconds(12)),
            slots: slots, store: Store(etcd: etcd, keys: fixture.store.keys), runtime: runtime,
            watchdog: InstantWatchdog(runtime), environment: .test(),
            bootID: "boot", directoryID: "directory", addressLedger: AddressNotes(), drain: drain)
    }

    private func slot(_ name: String) async throws -> WorkerSlot {
        try await eventualValue("\(name) is registered") { slots.slot(of: fixture.workerRef(name)) }
    }

    private func held(_ slot: WorkerSlot) -> StoreFixture.Worker {
        StoreFixture.Worker(ref: slot.ref, presence: slot.presence, lease: LeaseID(1))
    }

    /// An actor that runs on the worker.
    private func start(_ name: String, on slot: WorkerSlot) async throws -> Claim {
        _ = try await fixture.createActor(name)
        let claim = try await fixture.resuming(name, on: held(slot))
        let workload = Workload(
            actor: fixture.ref(name), actorUID: "uid-\(name)", template: fixture.template.ref,
            containers: fixture.template.containers)
        #expect(try await slot.start(workload, from: nil, claim.fences).state == .running)
        _ = try await fixture.store.confirmRunning(claim, at: fixture.address)
        return claim
    }

    @Test func aMarkWhoseAnswerGotLostIsTakenBackAfterTheOrder() async throws {
        try await running(agent().run) {
            let slot = try await slot("node-0")
            let (fixture, drain) = (fixture, drain)
            let target = DrainTarget.worker(slot.ref)
            let once = Once()
            etcd.afterWrite { transaction in
                guard once.isFirst() else { return }
                // The worker is marked, which the agent is not told, and nobody wants it any more.
                _ = try await fixture.store.undrain(target)
                try await eventually("the agent knows") { drain.demand(of: slot.ref, on: "node") == nil }
                throw EtcdError(code: .other, operation: "", endpoint: "", text: "time is up", outcome: .unknown)
            }
            try await order(target, grace: .seconds(60))
            try await eventually("the mark is made, and taken back") {
                guard let presence = try await fixture.store.presence(of: slot.ref) else { return false }
                return presence.version == 3 && !presence.value.isDraining
            }
            #expect(slots.slot(of: slot.ref)?.presence.incarnation == slot.presence.incarnation)
        }
    }

    private func order(_ target: DrainTarget, grace: Duration) async throws {
        try await fixture.store.drain(
            target, DrainOrder(graceMilliseconds: Int64(grace / .milliseconds(1)), orderedAtMilliseconds: 1))
    }

    private func presence(_ name: String) async throws -> Stored<Presence>? {
        try await fixture.store.presence(of: fixture.workerRef(name))
    }

    @Test func withoutAControlPlaneAStopEndsWithItsGracePeriod() async throws {
        let ended = Flag()
        let agent = agent()
        try await running({
            try await agent.run()
            ended.set()
        }) {
            let claim = try await start("alice", on: slot("node-0"))
            drain.stop(within: .milliseconds(300))
            try await eventually("the worker says that it drains") {
                let presence = try await presence("node-0")
                return presence == nil || presence?.value.isDraining == true
            }
            try await eventually("the agent ends") { ended.isSet }
            #expect(runtime.running.isEmpty)
            #expect(try await presence("node-0") == nil)
            // The binding is what the next control plane releases the actor by.
            #expect(try await fixture.store.binding(of: claim.worker)?.epoch == claim.binding.epoch)
        }
    }

    @Test func aStopIsOverWhenTheLastActorHasGone() async throws {
        let ended = Flag()
        let agent = agent(workers: 2)
        try await running({
            try await agent.run()
            ended.set()
        }) {
            let alice = try await start("alice", on: slot("node-0"))
            let bob = try await start("bob", on: slot("node-1"))
            drain.stop(within: .seconds(3600))
            for (name, claim) in [("alice", alice), ("bob", bob)] {
                try await eventually("it drains") { try await presence(claim.worker.pod)?.value.isDraining == true }
                #expect(!ended.isSet)
                let slot = try await slot(claim.worker.pod)
                let suspend = try await fixture.suspending(name, on: held(slot))
                guard case .suspending(_, let uri) = suspend.actor.value.state else { continue }
                _ = try await slot.checkpoint(to: .external(uri), suspend.fences)
                _ = try await fixture.store.finishSuspend(suspend, snapshot: uri)
            }
            try await eventually("the agent ends") { ended.isSet }
        }
    }

    @Test func aSnapshotWhoseReceiptNobodyHasFetchedIsWaitedFor() async throws {
        let ended = Flag()
        let agent = agent()
        try await running({
            try await agent.run()
            ended.set()
        }) {
            let slot = try await slot("node-0")
            _ = try await start("alice", on: slot)
            let suspend = try await fixture.suspending("alice", on: held(slot))
            let snapshot = try #require(suspend.actor.value.state.inProgressSnapshot)
            _ = try await slot.checkpoint(to: snapshot, suspend.fences)
            drain.stop(within: .seconds(3600))
            try await eventually("it drains") { try await presence("node-0")?.value.isDraining == true }
            #expect(try await slot.status(suspend.fences).state == .checkpointed(snapshot))
            #expect(!ended.isSet)
        }
    }

    @Test func aWorkerWhoseGracePeriodIsOverIsRegisteredAnewAndSaysThatItIsDrained() async throws {
        try await running(agent(workers: 2).run) {
            let old = try await slot("node-0")
            let other = try await slot("node-1")
            _ = try await start("alice", on: old)
            _ = try await start("bob", on: other)
            try await order(.worker(old.ref), grace: .milliseconds(200))
            try await eventually("there is another incarnation, which drains from its beginning") {
                guard let now = try await presence("node-0") else { return false }
                return now.incarnation > old.presence.incarnation && now.value.isDraining && now.version == 1
            }
            #expect(runtime.running.count == 1)
            // The other worker has not been touched.
            #expect(try await presence("node-1") == other.presence)
            // Nobody has released alice yet; the binding is not of the new incarnation, which stays.
            let now = try #require(try await presence("node-0"))
            try await fixture.store.drain(
                .worker(old.ref), DrainOrder(graceMilliseconds: 1, orderedAtMilliseconds: 2))
            try await eventually("the new order is marked") {
                try await presence("node-0").map { $0.version == 2 && $0.incarnation == now.incarnation } ?? false
            }
        }
    }

    @Test func aMarkThatCannotBeWrittenIsTriedAgain() async throws {
        let attempts = Counter()
        let keys = fixture.store.keys
        let worker = fixture.workerRef("node-0")
        try await running(agent().run) {
            _ = try await slot("node-0")
            etcd.beforeWrite { transaction in
                let isMark = transaction.success.contains {
                    if case .put(let put) = $0 { put.key == keys.live(worker) } else { false }
                }
                guard isMark, attempts.next() < 3 else { return }
                throw EtcdError(
                    code: .unavailable, operation: "txn", endpoint: "test", text: "away", outcome: .notApplied)
            }
            try await order(.worker(worker), grace: .seconds(3600))
            try await eventually("it drains") { try await presence("node-0")?.value.isDraining == true }
            #expect(attempts.next() > 3)
        }
    }
}
