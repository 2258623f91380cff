import NodeAgent
import SubstrateModel

/// The watchdog of a machine, as one agent on it talks to it. It is a process of its own, so it goes on when the agent is
/// stopped or dead.
///
/// `@unchecked`: see `Scheduler`.
final class SimulatedWatchdog: Watchdog, @unchecked Sendable {
    private let machine: Machine
    private let runtime: SimulatedRuntime
    private var process: SimulatedProcess { runtime.process }
    private var bug: PlantedBug? { machine.world.bug }

    init(_ machine: Machine, _ runtime: SimulatedRuntime) {
        self.machine = machine
        self.runtime = runtime
    }

    func start() async throws {
        // An earlier agent's may still be killing what that has left.
        while machine.isClearing, bug != .presenceBeforeKill { try await runtime.pass(.zero, .milliseconds(20)) }
    }

    func begin(_ hold: LeaseHold) async -> Bool {
        guard await answers(), hold.left > .zero else { return false }
        machine.guarded(for: hold.left)
        machine.isFrozen = false
        return true
    }

    func extend(_ hold: LeaseHold) -> Bool {
        if process.isDead || machine.isFrozen || machine.isOverdue { return false }
        machine.guarded(for: hold.left)
        return true
    }

    func freeze() async {
        if process.isDead { return }
        machine.freeze()
        _ = await answers()
    }

    func thaw(_ activations: [ActivationID], _ hold: LeaseHold) async -> Bool {
        guard await answers(), hold.left > .zero else { return false }
        machine.guarded(for: hold.left)
        machine.isFrozen = false
        for sandbox in machine.sandboxes where activations.contains(sandbox.id) { machine.thaw(sandbox) }
        return true
    }

    func resume(_ activation: ActivationID) async -> Bool {
        guard await answers(), !machine.isFrozen, !machine.isOverdue else { return false }
        for sandbox in machine.sandboxes where sandbox.id == activation { machine.thaw(sandbox) }
        return true
    }

    func waitForFailure() async -> String? {
        await process.wait { (_: @escaping @Sendable (String) -> Void) in }
    }

    /// Waits for it to look; false when the agent is dead by then.
    private func answers() async -> Bool { (try? await runtime.pass(.zero, .milliseconds(20))) != nil }
}
