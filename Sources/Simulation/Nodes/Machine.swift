import Etcd
import History
import NodeAgent
import SubstrateModel
import SubstrateStore

/// A machine with a node: what stays when the agent on it dies, and the watchdog that guards its actors.
///
/// `@unchecked`: see `Scheduler`.
final class Machine: @unchecked Sendable {
    let number: Int
    let name: String
    let address: String
    let workers: Int
    unowned let world: World
    /// Changes when the machine is replaced.
    private(set) var bootID: String
    /// Changes when the state directory is made anew.
    private(set) var directoryID: String
    private(set) var agent: Agent?
    /// The living sandboxes, in the order of their starts.
    var sandboxes: [SimulatedSandbox] = []
    /// The local snapshots, with whose they are.
    var localSnapshots: [LocalSnapshotName: ActorRef] = [:]
    /// What the state directory says of addresses.
    var addressRecord: AddressRecord?
    private var owners: [String: ActorRef] = [:]
    /// Until when actors may run, as the agent has told the watchdog.
    private var guardedUntil: Duration = .zero
    /// Whether the watchdog keeps what there is from running, until an agent asks for something else.
    var isFrozen = true
    /// What the watchdog is killing because its agent is dead.
    private var orphans: [SimulatedSandbox] = []
    private var agents = 0

    static let leaseTimeToLive: Duration = .seconds(5)
    static let leaseMargin: Duration = .seconds(1)
    /// Shorter than in production, since runs are, and long enough for an agent to be back within it.
    static let addressRest: Duration = .seconds(8)

    /// The agent that runs on it.
    struct Agent {
        var process: SimulatedProcess
        var slots: WorkerSlots
        var drain: NodeDrain
    }

    init(_ number: Int, workers: Int, _ world: World) {
        self.number = number
        self.workers = workers
        self.world = world
        name = "node-\(number)"
        address = "\(name):1"
        bootID = "boot-\(number)-0"
        directoryID = "directory-\(number)-0"
    }

    private var scheduler: Scheduler { world.scheduler }

    // MARK: The agent

    var isUp: Bool { agent.map { !$0.process.isDead && !$0.process.hasEnded } ?? false }

    func startAgent() {
        if isUp { return }
        agents += 1
        let process = world.newProcess("agent-\(number).\(agents)")
        let slots = WorkerSlots()
        let environment = process.environment(log: world.log(of: process))
        let drain = NodeDrain(environment: environment)
        agent = Agent(process: process, slots: slots, drain: drain)
        let etcd = SimulatedEtcd(process, world.cluster, world.faults, world.bug, isNode: true)
        let runtime = SimulatedRuntime(self, process)
        guard let addresses = AddressRange(subnet: "10.\(number).0.0/24", port: 80) else { return }
        let options = NodeOptions(
            node: name, pool: World.pool.ref, workers: workers, addresses: addresses, addressRest: Self.addressRest,
            agentAddress: address,
            leaseTimeToLive: Self.leaseTimeToLive, leaseMargin: Self.leaseMargin, takeoverLimit: .seconds(600))
        let node = NodeAgent(
            options: options, slots: slots, store: Store(etcd: etcd), runtime: runtime,
            watchdog: SimulatedWatchdog(self, runtime),
            environment: environment, bootID: bootID, directoryID: directoryID,
            addressLedger: SimulatedAddressLedger(machine: self, process: process), drain: drain)
        process.start { [unowned world] in
            do { try await node.run() } catch {
                if !process.isDead { world.note("\(process.name) gives up: \(error)") }
            }
        }
    }

    /// The agent dies. Its watchdog lives and kills what it has left, at the latest when the time is over that it was told.
    func killAgent() {
        guard let process = agent?.process, !process.isDead else { return }
        process.kill()
        if world.bug == .noWatchdog { return }
        orphans += sandboxes
        let dead = sandboxes
        scheduler.after(scheduler.random.duration(.zero, max(.zero, guardedUntil - scheduler.now))) { [self] in
            for sandbox in dead { end(sandbox, "its agent is dead") }
            orphans.removeAll { sandbox in dead.contains { $0 === sandbox } }
        }
    }

    /// Whether the watchdog of a dead agent is still at it.
    var isClearing: Bool { !orphans.isEmpty }

    /// The agent is told to drain its workers and stop; told once more it stops at once.
    func stopAgent() {
        guard let agent else { return }
        if agent.drain.isStopping { return agent.process.stop() }
        agent.drain.stop(within: scheduler.random.duration(.milliseconds(500), .seconds(5)))
    }

    /// Where somebody is connected to an actor, at random.
    var connected: Set<ActorAddress> {
        Set(sandboxes.map(\.address).filter { _ in scheduler.random.once(in: 3) })
    }

    // MARK: Losses

    /// The machine burns down, and another one gets its name.
    func lose() {
        agent?.process.kill()
        for sandbox in sandboxes { end(sandbox, "its machine is lost") }
        orphans = []
        bootID = "boot-\(number)-\(agents)"
        forgetDirectory()
    }

    /// The agent dies, and somebody removes its state directory.
    func loseDirectory() {
        killAgent()
        forgetDirectory()
    }

    private func forgetDirectory() {
        directoryID = "directory-\(number)-\(agents)"
        localSnapshots = [:]
        addressRecord = nil
        world.addresses.forget { [number] in $0.ip.hasPrefix("10.\(number).") }
        owners = [:]
    }

    // MARK: The watchdog

    /// Whether the time is over for which actors may run.
    var isOverdue: Bool { world.bug != .noWatchdog && guardedUntil <= scheduler.now }

    /// Lets actors run that long from now on.
    func guarded(for duration: Duration) {
        guardedUntil = scheduler.now + duration
        if world.bug == .noWatchdog { return }
        scheduler.after(duration) { [self] in if isOverdue { freeze() } }
    }

    func freeze() {
        isFrozen = true
        for sandbox in sandboxes where !sandbox.isFrozen {
            world.faults.report.count(.sandboxFrozen)
            stop(sandbox)
        }
    }

    /// It is there still, but runs no more.
    func stop(_ sandbox: SimulatedSandbox) {
        if sandbox.isFrozen { return }
        world.note("\(name): \(sandbox.run) stands still")
        sandbox.isFrozen = true
        world.running.ended(sandbox.run)
    }

    func thaw(_ sandbox: SimulatedSandbox) {
        if !sandbox.isFrozen { return }
        world.note("\(name): \(sandbox.run) goes on")
        world.faults.report.count(.sandboxThawed)
        sandbox.isFrozen = false
        world.take(world.running.thawed(sandbox.run, at: world.cluster.model.revision))
        world.checkClaim(of: sandbox.run)
    }

    // MARK: Sandboxes

    func begin(_ sandbox: SimulatedSandbox) {
        world.note("\(name): \(sandbox.run) begins")
        sandboxes.append(sandbox)
        world.take(
            world.addresses.started(
                sandbox.run, at: sandbox.address, now: scheduler.now, revision: world.cluster.model.revision))
        // The watchdog looks for new ones all the time while it has to.
        sandbox.isFrozen = isFrozen || isOverdue
        if sandbox.isFrozen { return }
        world.take(world.running.started(sandbox.run, at: world.cluster.model.revision))
        world.checkClaim(of: sandbox.run)
    }

    func end(_ sandbox: SimulatedSandbox, _ reason: String) {
        guard !sandbox.hasEnded else { return }
        world.note("\(name): \(sandbox.run) ends: \(reason)")
        sandboxes.removeAll { $0 === sandbox }
        world.running.ended(sandbox.run)
        world.addresses.ended(sandbox.run, at: sandbox.address, now: scheduler.now)
        sandbox.noteEnd(reason)
    }

    func noteOwner(_ actor: ActorRef, uid: String) { owners[uid] = actor }

    func owner(uid: String) -> ActorRef? { owners[uid] }
}
