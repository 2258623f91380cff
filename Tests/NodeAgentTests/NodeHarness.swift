import Etcd
import GRPC
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit

/// A node with pretended actors on a real etcd, and on a clock that is moved by hand: no lease lapses by itself.
struct NodeHarness {
    let fixture: StoreFixture
    let etcd: InterceptedEtcd
    let runtime = InstantRuntime()
    let watchdog: InstantWatchdog
    let clock = ManualClock()
    let log = LogRecorder()
    let slots = WorkerSlots()
    let readiness = Readiness()

    init() async throws {
        fixture = try await StoreFixture(TestEtcd.store())
        etcd = InterceptedEtcd(fixture.store.etcd)
        watchdog = InstantWatchdog(runtime)
    }

    /// Runs an agent beside `body`. Its lease lapses 48 s of the clock after the last renewal.
    /// - Parameters:
    ///   - timeToLive: of the lease, at etcd in real seconds.
    ///   - progressLimit: by default none that a test reaches by moving the clock.
    func run(
        workers: Int = 1, timeToLive: Duration = .seconds(60), progressLimit: Duration = .seconds(1_000_000),
        _ body: () async throws -> Void
    ) async throws {
        var environment = Environment.test(log: log.log)
        environment.clock = clock
        let options = NodeOptions(
            node: "node", pool: fixture.pool.ref,
            workers: workers, addresses: .pretended, agentAddress: "here:1",
            leaseTimeToLive: timeToLive, leaseMargin: timeToLive / 5, progressLimit: progressLimit)
        let agent = NodeAgent(
            options: options, slots: slots, store: Store(etcd: etcd, keys: fixture.store.keys), runtime: runtime,
            watchdog: watchdog, environment: environment, bootID: "boot", directoryID: "directory",
            addressLedger: AddressNotes(),
            readiness: readiness)
        try await running(agent.run) {
            try await eventually("the workers are registered") { slots.all.count == workers }
            try await body()
        }
    }

    /// Moves the clock until something has come about.
    func passTime(
        _ step: Duration = .milliseconds(500), until what: String, _ condition: () async throws -> Bool
    ) async throws {
        try await eventually(what) {
            if try await condition() { return true }
            clock.advance(by: step)
            return false
        }
    }

    /// Keeps the node from etcd, but for the watches, until its lease has lapsed.
    func freeze() async throws {
        etcd.cutOff()
        try await passTime(until: "the node freezes") { log.contains(.error, "the actors are frozen") }
        try await eventually("the actors are frozen") { runtime.frozen == runtime.running }
    }

    func slot(_ number: Int = 0) async throws -> WorkerSlot {
        try await eventualValue("the worker is registered") { slots.slot(of: fixture.workerRef("node-\(number)")) }
    }

    func held(_ slot: WorkerSlot) -> StoreFixture.Worker {
        StoreFixture.Worker(ref: slot.ref, presence: slot.presence, lease: LeaseID(1))
    }

    func workload(_ name: String) -> Workload {
        Workload(
            actor: fixture.ref(name), actorUID: "uid-\(name)", template: fixture.template.ref,
            containers: fixture.template.containers)
    }

    /// A new actor that is claimed on the worker.
    func claimed(_ name: String, on slot: WorkerSlot) async throws -> Claim {
        _ = try await fixture.createActor(name)
        return try await fixture.resuming(name, on: held(slot))
    }

    /// A new actor that runs on the worker.
    func started(_ name: String, on slot: WorkerSlot) async throws -> Claim {
        let claim = try await claimed(name, on: slot)
        _ = try await slot.start(workload(name), from: nil, claim.fences)
        return try await eventualValue("it runs") { runtime.running.contains(claim.binding.epoch) ? claim : nil }
    }

    /// The fences of an operation after this one.
    func later(_ claim: Claim, by revisions: Int64 = 1000) -> Fences {
        var fences = claim.fences
        fences.operation = OperationToken(claim.token.revision + revisions)
        return fences
    }

    func isAnotherIncarnation(than slot: WorkerSlot) -> Bool {
        guard let now = slots.slot(of: slot.ref) else { return false }
        return now.presence.incarnation > slot.presence.incarnation
    }
}
