internal import Etcd
package import ServiceKit
package import SubstrateModel
package import SubstrateStore
internal import Synchronization

/// What a node is told to drain: by operators, whose orders are in etcd, and by the signal that stops its agent.
///
/// This is only what is wanted. Each registered worker looks at it and does its part; see `FollowDrain.swift`.
package final class NodeDrain: Sendable {
    /// That a worker is to be drained, and by when.
    package struct Demand: Sendable {
        /// Unix time in milliseconds, for what is shown to people.
        package var untilMilliseconds: Int64
        private let grace: Duration
        private let since: Stopwatch

        init(_ grace: Duration, _ environment: Environment) {
            self.grace = grace
            since = environment.clock.stopwatch()
            untilMilliseconds = environment.wallClock() + Int64(grace / .milliseconds(1))
        }

        /// What is left of the grace period; not positive when it is over.
        package var left: Duration { grace - since.elapsed() }
    }

    private struct State {
        var orders: [DrainTarget: (revision: Int64, demand: Demand)] = [:]
        var stop: Demand?
        var isListed = false
        /// Counts the changes of all this.
        var version = 0
        /// The registered workers, by the uids of their presences, that drain and have nothing left to be suspended.
        var vacated: Set<String> = []
    }

    private let state = Mutex(State())
    private let environment: Environment
    private let changes = Listeners()
    private let progress = Listeners()

    package init(environment: Environment) { self.environment = environment }

    // MARK: What is wanted

    /// The agent is to stop: every worker drains, and what has not been suspended by the end is killed. Only the first counts.
    package func stop(within grace: Duration) {
        update { state in
            if state.stop == nil { state.stop = Demand(grace, environment) }
        }
        progress.tell()
    }

    package var isStopping: Bool { state.withLock { $0.stop != nil } }

    /// Takes in all orders there are for workers of the pool.
    package func take(_ orders: [DrainTarget: Stored<DrainOrder>]) {
        update { state in
            state.orders = state.orders.filter { orders[$0.key] != nil }
            for (target, order) in orders { take(order, of: target, &state) }
            state.isListed = true
        }
    }

    /// Takes in that an order was written, or with nil that it was taken back.
    package func take(_ order: Stored<DrainOrder>?, of target: DrainTarget) {
        update { state in
            if let order { take(order, of: target, &state) } else { state.orders[target] = nil }
        }
    }

    /// Takes in which orders there were at a revision: one that is not among them is gone, whatever the watch said.
    package func take(_ targets: Set<DrainTarget>, at revision: Int64) {
        update { state in
            state.orders = state.orders.filter { targets.contains($0.key) || $0.value.revision > revision }
        }
    }

    private func take(_ order: Stored<DrainOrder>, of target: DrainTarget, _ state: inout State) {
        // One that is known has begun to count already.
        guard state.orders[target]?.revision != order.modRevision else { return }
        state.orders[target] = (order.modRevision, Demand(order.value.grace, environment))
    }

    /// What is wanted of a worker of that node: of several demands the one whose time is up first.
    package func demand(of ref: WorkerRef, on node: String) -> Demand? {
        state.withLock { state in
            let demands = state.orders.filter { $0.key.includes(ref, on: node) }.map(\.value.demand)
            return (demands + (state.stop.map { [$0] } ?? [])).min { $0.left < $1.left }
        }
    }

    package var version: Int { state.withLock { $0.version } }

    /// Waits until something else is wanted than at that version, or until the task is cancelled.
    package func waitForChange(since version: Int) async {
        for await _ in changes.changes where self.version != version { return }
    }

    /// Waits until the orders have been read for the first time, or until the task is cancelled.
    package func waitUntilListed() async {
        for await _ in changes.changes where state.withLock({ $0.isListed }) { return }
    }

    private func update(_ change: (inout State) -> Void) {
        state.withLock { state in
            change(&state)
            state.version += 1
        }
        changes.tell()
    }

    // MARK: What has come of it

    /// Notes whether the worker drains and has nothing left to be suspended.
    func note(_ uid: String, isVacated: Bool) {
        state.withLock { state in
            if isVacated { state.vacated.insert(uid) } else { state.vacated.remove(uid) }
        }
        progress.tell()
    }

    /// Waits until the agent is told to stop and its workers are vacated, or their time is up, or the task is cancelled.
    /// - Parameter workers: the uids of the presences of the workers that are registered.
    func waitForEnd(of workers: @escaping @Sendable () -> [String]) async {
        await withTaskGroup { group in
            group.addTask {
                for await _ in self.progress.changes {
                    let isOver = self.state.withLock { state in
                        state.stop != nil && workers().allSatisfy(state.vacated.contains)
                    }
                    if isOver { return }
                }
            }
            group.addTask {
                for await _ in self.progress.changes {
                    guard let stop = self.state.withLock({ $0.stop }) else { continue }
                    try? await self.environment.clock.sleep(for: max(.zero, stop.left))
                    return
                }
            }
            await group.next()
            group.cancelAll()
        }
    }
}
