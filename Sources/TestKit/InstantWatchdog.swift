package import NodeAgent
internal import ServiceKit
internal import Synchronization

/// A watchdog in this process over pretended actors. It freezes when the agent says so, and not by itself.
package final class InstantWatchdog: Watchdog {
    private struct State {
        var isFrozen = true
        var refusals = 0
        var hasFailed = false
        var thaws: [[ActivationID]] = []
    }

    private let runtime: InstantRuntime
    private let state = Mutex(State())
    private let failures = Listeners()

    package init(_ runtime: InstantRuntime) { self.runtime = runtime }

    /// What it was asked to let go on after a freeze, each time.
    package var thaws: [[ActivationID]] { state.withLock { $0.thaws } }

    /// Refuses the next requests to let something go on.
    package func refuse(_ count: Int) { state.withLock { $0.refusals = count } }

    /// Ends, as a process that is killed.
    package func fail() {
        state.withLock { $0.hasFailed = true }
        failures.tell()
    }

    package func start() async throws { state.withLock { $0.hasFailed = false } }

    package func begin(_ hold: LeaseHold) async -> Bool {
        state.withLock { $0.isFrozen = hold.left <= .zero }
        return hold.left > .zero
    }

    package func extend(_ hold: LeaseHold) -> Bool { !state.withLock { $0.isFrozen } }

    package func freeze() async {
        state.withLock { $0.isFrozen = true }
        runtime.freeze()
    }

    package func thaw(_ activations: [ActivationID], _ hold: LeaseHold) async -> Bool {
        let isDone = state.withLock { state in
            state.thaws.append(activations)
            return isGranted(&state) && hold.left > .zero
        }
        guard isDone else { return false }
        state.withLock { $0.isFrozen = false }
        runtime.thaw(activations.map(\.epoch))
        return true
    }

    package func resume(_ activation: ActivationID) async -> Bool {
        guard state.withLock({ !$0.isFrozen && isGranted(&$0) }) else { return false }
        runtime.thaw([activation.epoch])
        return true
    }

    private func isGranted(_ state: inout State) -> Bool {
        if state.refusals > 0 {
            state.refusals -= 1
            return false
        }
        return true
    }

    package func waitForFailure() async -> String? {
        for await _ in failures.changes {
            if state.withLock({ $0.hasFailed }) { return "the watchdog was told to fail" }
        }
        return nil
    }
}
