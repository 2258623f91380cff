import ControlPlane
import SubstrateStore

/// A replica of the control plane, again and again: each start is a process of its own.
///
/// `@unchecked`: see `Scheduler`.
final class Replica: @unchecked Sendable {
    let number: Int
    unowned let world: World
    private(set) var process: SimulatedProcess?
    private(set) var control: ControlPlane?
    private var starts = 0

    init(_ number: Int, _ world: World) {
        self.number = number
        self.world = world
    }

    var isUp: Bool { process.map { !$0.isDead && !$0.hasEnded } ?? false }

    func start() {
        if isUp { return }
        starts += 1
        let process = world.newProcess("ateapi-\(number).\(starts)")
        let etcd = SimulatedEtcd(process, world.cluster, world.faults, world.bug)
        let control = ControlPlane(
            store: Store(etcd: etcd), nodes: SimulatedNodes(process, world),
            environment: process.environment(log: world.log(of: process)), options: options)
        self.process = process
        self.control = control
        process.start { await control.run() }
    }

    /// Shorter than in production, so that a short run sees all of it several times.
    private var options: ControlPlaneOptions {
        var options = ControlPlaneOptions()
        options.sweepInterval = .seconds(4)
        options.operationSweepInterval = world.bug == .noOwnSweep ? .seconds(100_000) : .seconds(2)
        options.answerLimit = world.answerLimit
        options.idleCheckInterval = .seconds(1)
        options.goldenCheckInterval = .seconds(1)
        options.goldenActorTime = .seconds(1)
        options.failedWorkerAvoidance = .seconds(5)
        options.nodeReturnLimit = .seconds(2)
        options.snapshotRetention = .seconds(5)
        options.snapshotCollectionInterval = .seconds(3)
        return options
    }
}
