import SubstrateModel

/// Faults that come at times of their own: processes that are killed, stopped and paused, machines that burn down, an etcd
/// that changes its leader or forgets its history.
///
/// `@unchecked`: see `Scheduler`.
final class Chaos: @unchecked Sendable {
    private unowned let world: World
    private var scheduler: Scheduler { world.scheduler }
    private var faults: Faults { world.faults }
    private let faultsOfThisRun: [Fault]
    private let longestPause: Duration

    private static let all: [Fault] = [
        .replicaKilled, .replicaStopped, .replicaPaused, .agentKilled, .agentStopped, .agentPaused, .machineLost,
        .directoryLost, .sandboxDied, .compaction, .leaderChange,
    ]

    init(_ world: World) {
        self.world = world
        // As with messages: some in each run, in some runs often.
        var random = world.scheduler.random
        faultsOfThisRun = Self.all.filter { _ in !random.once(in: 3) }
        longestPause = [.seconds(1), .seconds(3), .seconds(8)][random.index(below: 3)]
        world.scheduler.random = random
    }

    func start() {
        scheduler.after(scheduler.random.duration(.milliseconds(50), longestPause)) { [self] in
            if faults.isOver { return }
            if let fault = scheduler.random.pick(faultsOfThisRun) { strike(fault) }
            start()
        }
    }

    private func strike(_ fault: Fault) {
        let replica = scheduler.random.pick(world.replicas)
        let machine = scheduler.random.pick(world.machines)
        switch fault {
        case .replicaKilled, .replicaStopped, .replicaPaused:
            guard let replica, replica.isUp, let process = replica.process, !process.lane.isPaused else { return }
            note(fault, process.name)
            switch fault {
            case .replicaKilled: process.kill()
            case .replicaStopped: process.stop()
            default: pause(process)
            }
            if fault != .replicaPaused {
                restart(.replicaStarted) {
                    replica.isUp
                } _: {
                    replica.start()
                }
            }
        case .agentKilled, .agentStopped, .agentPaused, .machineLost, .directoryLost:
            guard let machine, machine.isUp, let process = machine.agent?.process, !process.lane.isPaused else {
                return
            }
            note(fault, process.name)
            switch fault {
            case .agentKilled: machine.killAgent()
            case .agentStopped: machine.stopAgent()
            case .machineLost: machine.lose()
            case .directoryLost: machine.loseDirectory()
            default: pause(process)
            }
            if fault != .agentPaused {
                restart(.agentStarted) {
                    machine.isUp
                } _: {
                    machine.startAgent()
                }
            }
        case .sandboxDied:
            let all = world.machines.flatMap(\.sandboxes)
            // Those that are being checkpointed are few, and have most to go wrong.
            let still = all.filter(\.isFrozen)
            let isAnyWanted = still.isEmpty || scheduler.random.once(in: 2)
            guard let sandbox = scheduler.random.pick(isAnyWanted ? all : still) else { return }
            note(fault, "\(sandbox.run)")
            sandbox.die()
        case .compaction:
            let revision = world.cluster.model.revision - Int64(scheduler.random.index(below: 3))
            note(fault, "\(revision)")
            world.cluster.compact(revision)
        case .leaderChange:
            note(fault, "etcd")
            world.cluster.changeLeader(after: scheduler.random.duration(.milliseconds(200), .seconds(3)))
        default: break
        }
    }

    private func note(_ fault: Fault, _ victim: String) {
        faults.report.count(fault)
        world.note("FAULT \(fault.rawValue): \(victim)")
    }

    private func pause(_ process: SimulatedProcess) {
        process.lane.pause()
        scheduler.after(scheduler.random.duration(.milliseconds(50), .seconds(9))) { [self] in
            guard process.lane.isPaused else { return }
            world.note("\(process.name) goes on")
            process.lane.resume()
        }
    }

    private func restart(_ fault: Fault, _ isUp: @escaping () -> Bool, _ start: @escaping () -> Void) {
        scheduler.after(scheduler.random.duration(.milliseconds(50), .seconds(6))) { [self] in
            if isUp() {
                // One that was asked to stop may take its time.
                if !faults.isOver { restart(fault, isUp, start) }
                return
            }
            faults.report.count(fault)
            start()
        }
    }

    /// Everything goes on and is started again; from here on nothing goes wrong.
    func heal() {
        world.note("from here on nothing goes wrong any more")
        for process in world.replicas.compactMap(\.process) + world.machines.compactMap(\.agent?.process) {
            process.lane.resume()
        }
        keepUp()
    }

    private func keepUp() {
        for replica in world.replicas where !replica.isUp { replica.start() }
        for machine in world.machines where !machine.isUp { machine.startAgent() }
        scheduler.after(.seconds(1)) { [self] in keepUp() }
    }
}
