import GRPC
import History
import NodeAgent
import SubstrateAPI
import SubstrateModel

/// The runtime of one agent: sandboxes that start, run, are checkpointed and die, on its machine.
///
/// `@unchecked`: see `Scheduler`.
final class SimulatedRuntime: Runtime, @unchecked Sendable {
    let machine: Machine
    let process: SimulatedProcess
    private var world: World { machine.world }
    private var scheduler: Scheduler { process.scheduler }

    init(_ machine: Machine, _ process: SimulatedProcess) {
        self.machine = machine
        self.process = process
    }

    var sandboxClass: SandboxClass { .process }
    var localSnapshotStore: any LocalSnapshotStore { SimulatedLocalSnapshots(machine: machine, process: process) }

    func killLeftovers() async throws {
        let old = machine.sandboxes.filter { $0.directoryID == machine.directoryID }
        if world.bug == .presenceBeforeKill {
            scheduler.after(scheduler.random.duration(.seconds(1), .seconds(10))) { [machine] in
                for sandbox in old { machine.end(sandbox, "an agent has found it") }
            }
            return
        }
        for sandbox in old {
            try await pass(.zero, .milliseconds(100))
            machine.end(sandbox, "an agent has found it")
        }
    }

    /// Lets time pass.
    /// - Throws: `CancellationError`, also when the process has died.
    func pass(_ shortest: Duration, _ longest: Duration) async throws {
        let scheduler = scheduler
        let over: Void? = await process.wait { answer in
            scheduler.after(scheduler.random.duration(shortest, longest)) { answer(()) }
        }
        // What was on its way when the process died does not arrive.
        if over == nil || process.isDead { throw CancellationError() }
    }

    func start(_ activation: Activation) async throws(RuntimeFailure) -> any Sandbox {
        let sandbox = SimulatedSandbox(self, activation)
        do {
            if world.faults.strikes(.startSlow) {
                try await pass(.seconds(1), .seconds(15))
            } else {
                try await pass(.zero, .milliseconds(40))
            }
            if let snapshot = activation.snapshot, !world.has(snapshot, on: machine) {
                throw RuntimeFailure(.failedPrecondition, "the snapshot \(snapshot) is missing")
            }
            try await activation.permit()
            machine.begin(sandbox)
            if world.faults.strikes(.startFailed) {
                machine.end(sandbox, "its start has failed")
                if world.bug == .epochStartedTwice { startAgain(activation) }
                throw RuntimeFailure(.internal, "it does not start", mayLieInWorker: scheduler.random.once(in: 2))
            }
            // It runs before it is ready.
            try await pass(.zero, .milliseconds(40))
        } catch let failure as RuntimeFailure {
            throw failure
        } catch {
            if !process.isDead { machine.end(sandbox, "its start was given up") }
            throw RuntimeFailure(.cancelled, "the start was given up")
        }
        return sandbox
    }

    func selfTest(pod: String, address: ActorAddress?) async throws(RuntimeFailure) {
        do { try await pass(.zero, .milliseconds(50)) } catch {
            throw RuntimeFailure(.cancelled, "the self-test was given up")
        }
        if world.faults.strikes(.selfTestFailed) { throw RuntimeFailure(.internal, "nothing can be started") }
    }

    func answer() async {}

    func connectedAddresses() async throws(RuntimeFailure) -> Set<ActorAddress> { machine.connected }

    /// As a runtime that retries behind its agent's back.
    private func startAgain(_ activation: Activation) {
        scheduler.after(scheduler.random.duration(.zero, .seconds(2))) { [self] in
            if !process.isDead { machine.begin(SimulatedSandbox(self, activation)) }
        }
    }
}

/// A running actor on a machine.
///
/// `@unchecked`: see `Scheduler`.
final class SimulatedSandbox: Sandbox, @unchecked Sendable {
    let run: RunningActors.Run
    let directoryID: String
    let process: SimulatedProcess
    private let runtime: SimulatedRuntime
    private var machine: Machine { runtime.machine }
    private var world: World { machine.world }
    /// Where it is, for the watchdog.
    let id: ActivationID
    let address: ActorAddress
    var isFrozen = false
    private var end: String?
    private var waiting: [(String) -> Void] = []

    init(_ runtime: SimulatedRuntime, _ activation: Activation) {
        self.runtime = runtime
        process = runtime.process
        directoryID = runtime.machine.directoryID
        id = activation.id
        address = activation.address
        run = RunningActors.Run(
            actorUID: activation.workload.actorUID, worker: WorkerRef(pool: World.pool.ref, pod: activation.pod),
            epoch: activation.epoch)
    }

    var hasEnded: Bool { end != nil }

    func noteEnd(_ reason: String) {
        end = reason
        for answer in waiting { answer(reason) }
        waiting = []
    }

    /// It dies by itself.
    func die() {
        if world.bug == .noNewRegistration { waiting = [] }
        machine.end(self, "by itself")
    }

    func waitForEnd() async -> String? {
        if let end { return end }
        return await process.wait { answer in waiting.append(answer) }
    }

    func checkpoint(
        to snapshot: SnapshotURI, _ content: SnapshotContent, if condition: CheckpointCondition?
    ) async throws(RuntimeFailure) {
        machine.stop(self)
        try await condition?()
        do { try await runtime.pass(.zero, .milliseconds(100)) } catch {
            throw RuntimeFailure(.cancelled, "the checkpoint was given up")
        }
        if hasEnded { throw RuntimeFailure(.aborted, "it has ended") }
        if world.faults.strikes(.checkpointFailed) { throw RuntimeFailure(.internal, "the disk is full") }
        try await condition?()
        if hasEnded || process.isDead { throw RuntimeFailure(.aborted, "it has ended") }
        world.keep(snapshot, run, on: machine)
        machine.end(self, "checkpointed")
    }

    func terminate() { if !process.isDead { machine.end(self, "terminated") } }

    func kill() async {
        try? await runtime.pass(.zero, .milliseconds(20))
        if !process.isDead { machine.end(self, "killed") }
    }
}

/// The local snapshots of a machine, as one of its agents sees them.
struct SimulatedLocalSnapshots: LocalSnapshotStore {
    let machine: Machine
    let process: SimulatedProcess

    private var prefix: String { "local://\(machine.name)/" }

    func uri(of name: LocalSnapshotName) -> SnapshotURI { SnapshotURI(prefix + name.text) }
    func holds(_ uri: SnapshotURI) -> Bool { uri.text.hasPrefix(prefix) }
    func contains(_ name: LocalSnapshotName) async -> Bool { machine.localSnapshots[name] != nil }

    func noteOwner(_ actor: ActorRef, uid: String) async throws {
        if !process.isDead { machine.noteOwner(actor, uid: uid) }
    }

    func owner(uid: String) async -> ActorRef? { machine.owner(uid: uid) }

    var all: [LocalSnapshotName] { get async { machine.localSnapshots.keys.sorted { $0.text < $1.text } } }

    func remove(_ name: LocalSnapshotName) async { if !process.isDead { machine.localSnapshots[name] = nil } }

    func removeUnfinished() async {}
}

/// What the state directory of a machine says of addresses, as one of its agents sees it.
struct SimulatedAddressLedger: AddressLedger {
    let machine: Machine
    let process: SimulatedProcess

    func read() async throws -> AddressRecord? {
        guard machine.world.bug == .addressesForgotten, var record = machine.addressRecord, let last = record.parts.last
        else { return machine.addressRecord }
        // As if the last run had used the part before its own.
        record.parts = [(last + AddressRecord.parts - 1) % AddressRecord.parts]
        return record
    }

    func write(_ record: AddressRecord) async throws {
        if process.isDead { throw CancellationError() }
        machine.addressRecord = record
    }
}
