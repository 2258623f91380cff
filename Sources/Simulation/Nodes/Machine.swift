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
    private var owners: [String: ActorRef] = [:]
    /// Until when actors may run, as the agent has told the watchdog.
    private var guardedUntil: Duration = .zero
    private var agents = 0

    static let leaseTimeToLive: Duration = .seconds(5)
    static let leaseMargin: Duration = .seconds(1)

    /// The agent that runs on it.
    struct Agent {
        var process: SimulatedProcess
        var slots: WorkerSlots
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
        agent = Agent(process: process, slots: slots)
        let etcd = SimulatedEtcd(process, world.cluster, world.faults, world.bug)
        etcd.onRenewal = { [unowned self] sent, timeToLive in
            guarded(until: sent + timeToLive - Self.leaseMargin)
        }
        let options = NodeOptions(
            node: name, pool: World.pool.ref,
            addresses: (0..<workers).map { ActorAddress(ip: "10.0.\(number).\($0)", port: 80) }, agentAddress: address,
            leaseTimeToLive: Self.leaseTimeToLive, leaseMargin: Self.leaseMargin, takeoverLimit: .seconds(600))
        let node = NodeAgent(
            options: options, slots: slots, store: Store(etcd: etcd), runtime: SimulatedRuntime(self, process),
            environment: process.environment { [unowned world] in world.note($0, process.name) }, bootID: bootID,
            directoryID: directoryID)
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
        let orphans = sandboxes.filter { $0.process === process }
        if world.bug == .noWatchdog { return }
        scheduler.after(scheduler.random.duration(.zero, max(.zero, guardedUntil - scheduler.now))) { [self] in
            for sandbox in orphans where !sandbox.hasEnded { end(sandbox, "its agent is dead") }
        }
    }

    func stopAgent() { agent?.process.stop() }

    // MARK: Losses

    /// The machine burns down, and another one gets its name.
    func lose() {
        agent?.process.kill()
        for sandbox in sandboxes { end(sandbox, "its machine is lost") }
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
        owners = [:]
    }

    // MARK: The watchdog

    private func guarded(until deadline: Duration) {
        guardedUntil = max(guardedUntil, deadline)
        if world.bug == .noWatchdog { return }
        scheduler.after(deadline - scheduler.now) { [self] in freezeIfOver() }
    }

    private func freezeIfOver() {
        guard guardedUntil <= scheduler.now else { return }
        for sandbox in sandboxes where !sandbox.isFrozen {
            world.faults.report.count(.sandboxFrozen)
            world.note("\(name): the watchdog freezes \(sandbox.run)")
            sandbox.isFrozen = true
            world.running.ended(sandbox.run)
        }
    }

    // MARK: Sandboxes

    func begin(_ sandbox: SimulatedSandbox) {
        world.note("\(name): \(sandbox.run) begins")
        sandboxes.append(sandbox)
        world.take(world.running.started(sandbox.run, at: world.cluster.model.revision))
        freezeIfOver()
    }

    func end(_ sandbox: SimulatedSandbox, _ reason: String) {
        guard !sandbox.hasEnded else { return }
        world.note("\(name): \(sandbox.run) ends: \(reason)")
        sandboxes.removeAll { $0 === sandbox }
        world.running.ended(sandbox.run)
        sandbox.noteEnd(reason)
    }

    func noteOwner(_ actor: ActorRef, uid: String) { owners[uid] = actor }

    func owner(uid: String) -> ActorRef? { owners[uid] }
}
