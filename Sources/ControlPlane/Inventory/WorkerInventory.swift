package import Etcd
package import ServiceKit
package import SubstrateModel
package import SubstrateStore
internal import Synchronization

/// The workers as this replica knows them, shared by the syncer, which keeps it up to date, and the workflows.
package final class WorkerInventory: Sendable {
    private let state = Mutex(State())
    private let keys: Keys
    private let log: Log
    /// Set once the workers have been listed: before, nobody can be placed.
    package let readiness = Readiness()
    /// Hear when the set of lost workers may have changed.
    package let listeners = Listeners()

    private struct State {
        var table = WorkerTable()
        var nextWaiter = 0
        var waiters: [Int: Waiter] = [:]
    }

    private struct Waiter {
        var isOver: @Sendable (WorkerTable) -> Bool
        var continuation: UnsafeContinuation<Void, Never>
    }

    package init(keys: Keys, log: Log) {
        self.keys = keys
        self.log = log
    }

    /// Whether the workers have been listed since the start; before that nothing is known.
    package var isListed: Bool { readiness.isReady }

    /// The lost workers with their rows, sorted.
    package var lostWorkers: [(ref: WorkerRef, row: WorkerRow)] {
        state.withLock { state in
            state.table.lost.sorted().compactMap { ref in state.table.rows[ref].map { (ref, $0) } }
        }
    }

    package func row(_ ref: WorkerRef) -> WorkerRow? { state.withLock { $0.table.rows[ref] } }

    package func freeCount(in pool: PoolRef) -> Int { state.withLock { $0.table.freeCount(in: pool) } }

    /// How many workers of each pool are live.
    package var liveCounts: [PoolRef: Int] { state.withLock { $0.table.liveCounts } }

    /// Takes in changes of keys under the worker prefix.
    package func take(_ events: [WatchEvent]) {
        update { table in
            for event in events {
                guard let key = keys.worker(event.key) else { continue }
                switch event {
                case .delete(_, let revision, _): table.remove(key, at: revision)
                case .put(let pair, _): put(pair, key, &table)
                }
            }
        }
    }

    private func put(_ pair: KeyValue, _ key: Keys.WorkerKey, _ table: inout WorkerTable) {
        do throws(StoreError) {
            switch key {
            case .live(let ref): table.put(try Codec.decode(pair, as: Presence.self), of: ref)
            case .bound(let ref): table.put(try Codec.decode(pair, as: Binding.self), of: ref)
            }
        } catch {
            log.error("a worker's row cannot be read and is left alone", ["error": .text(error)])
        }
    }

    /// Takes in a listing. Returns the workers of which it told something new.
    @discardableResult
    package func take(_ listing: WorkerListing) -> [WorkerRef] {
        let news = update { $0.take(listing) }
        readiness.set(true)
        return news
    }

    /// Takes in what a transaction has read or written of one worker.
    package func take(presence: Stored<Presence>?, binding: Stored<Binding>?, of ref: WorkerRef, at revision: Int64) {
        update { table in
            if let presence { table.put(presence, of: ref) } else { table.remove(.live(ref), at: revision) }
            if let binding { table.put(binding, of: ref) } else { table.remove(.bound(ref), at: revision) }
        }
    }

    /// Takes in that a binding has been written.
    package func take(binding: Stored<Binding>, of ref: WorkerRef) { update { $0.put(binding, of: ref) } }

    /// Takes in that a binding has been deleted.
    package func takeUnbound(_ ref: WorkerRef, at revision: Int64) { update { $0.remove(.bound(ref), at: revision) } }

    /// Reserves any free worker of the pools.
    /// - Parameter nodes: on which it has to be; nil for any.
    package func reserve(
        in pools: [PoolRef], nodes: Set<String>? = nil, _ chance: Chance
    ) -> (ref: WorkerRef, presence: Stored<Presence>)? {
        state.withLock { $0.table.reserve(in: pools, nodes: nodes, chance) }
    }

    /// The names under which the agent with this state directory offers workers: one, or none while it offers no worker.
    package func nodes(withDirectory id: String) -> Set<String> {
        state.withLock { $0.table.nodes(withDirectory: id) }
    }

    /// Waits until the agent with this state directory offers a worker, or until the task is cancelled.
    package func waitForNode(withDirectory id: String) async {
        await wait { !$0.nodes(withDirectory: id).isEmpty }
    }

    /// Gives a reserved worker back.
    package func unreserve(_ ref: WorkerRef) { state.withLock { $0.table.unreserve(ref) } }

    /// Waits until the worker's presence is not `incarnation` any more, or until the task is cancelled.
    package func waitUntilGone(_ ref: WorkerRef, _ incarnation: Incarnation) async {
        await wait { $0.rows[ref]?.presence?.incarnation != incarnation }
    }

    private func wait(until isOver: @escaping @Sendable (WorkerTable) -> Bool) async {
        let id = state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let isDone = state.withLock { state in
                    if isOver(state.table) || Task.isCancelled { return true }
                    state.waiters[id] = Waiter(isOver: isOver, continuation: continuation)
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume()
        }
    }

    @discardableResult
    private func update<Result>(_ change: (inout WorkerTable) -> Result) -> Result {
        let (result, done) = state.withLock { state in
            let result = change(&state.table)
            let done = state.waiters.filter { $1.isOver(state.table) }
            for id in done.keys { state.waiters[id] = nil }
            return (result, done)
        }
        for waiter in done.values { waiter.continuation.resume() }
        listeners.tell()
        return result
    }
}
