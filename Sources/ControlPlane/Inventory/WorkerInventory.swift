package import Etcd
package import ServiceKit
package import SubstrateModel
package import SubstrateStore
internal import Synchronization

/// The workers as this replica knows them, shared by the syncer, which keeps it up to date, and the workflows.
package final class WorkerInventory: Sendable {
    private let state = Mutex(State())
    private let keys: Keys
    private let environment: Environment
    private var log: Log { environment.log }
    /// Set once the workers have been listed: before, nobody can be placed.
    package let readiness = Readiness()
    /// Hear when the sets of lost workers, and of those to be vacated, may have changed.
    package let listeners = Listeners()

    private struct State {
        var table = WorkerTable(keepsLossNews: true)
        var losses = LossLog()
        /// The newest revision of which anything was heard, and how long ago.
        var revision: Int64 = 0
        var sinceNews: Stopwatch?
        var queue = CapacityQueue()
        var nextWaiter = 0
        var waiters: [Int: Waiter] = [:]
    }

    private struct Waiter {
        var isOver: @Sendable (WorkerTable) -> Bool
        var continuation: UnsafeContinuation<Void, Never>
    }

    package init(keys: Keys, environment: Environment) {
        self.keys = keys
        self.environment = environment
    }

    /// Whether the workers have been listed since the start; before that nothing is known.
    package var isListed: Bool { readiness.isReady }

    /// The lost workers with their rows, sorted.
    package var lostWorkers: [(ref: WorkerRef, row: WorkerRow)] {
        state.withLock { state in
            state.table.lost.sorted().compactMap { ref in state.table.rows[ref].map { (ref, $0) } }
        }
    }

    /// The draining workers whose actors run, those whose time is up first.
    package var workersToVacate: [(ref: WorkerRef, row: WorkerRow)] {
        state.withLock { state in
            state.table.toBeVacated.compactMap { ref in state.table.rows[ref].map { (ref, $0) } }
        }.sorted {
            ($0.1.presence?.value.drainingUntilMilliseconds ?? 0, $0.0)
                < ($1.1.presence?.value.drainingUntilMilliseconds ?? 0, $1.0)
        }
    }

    /// How many workers are bound to actors of the atespace.
    package func countBound(in atespace: String) -> Int {
        state.withLock { state in state.table.rows.values.count { $0.binding?.value.actor.atespace == atespace } }
    }

    /// Where the router of the worker's machine takes requests of others; nil also when the worker is lost, or not known yet.
    /// - Parameter uid: of the very worker, not of a later one with its name.
    package func routerAddress(of worker: WorkerRef, uid: String) -> String? {
        state.withLock { state in
            let presence = state.table.rows[worker]?.presence?.value
            return presence?.uid == uid ? presence?.routerAddress : nil
        }
    }

    /// All workers with an actor that runs, sorted.
    package var readyWorkers: [(ref: WorkerRef, presence: Stored<Presence>, binding: Stored<Binding>)] {
        state.withLock { state in
            state.table.rows.compactMap { ref, row in
                guard let presence = row.presence, let binding = row.binding, binding.value.phase == .ready, !row.isLost
                else { return nil }
                return (ref, presence, binding)
            }
        }.sorted { $0.0 < $1.0 }
    }

    package func row(_ ref: WorkerRef) -> WorkerRow? { state.withLock { $0.table.rows[ref] } }

    package func freeCount(in pool: PoolRef) -> Int { state.withLock { $0.table.freeCount(in: pool) } }

    /// Which workers were lost, and since when.
    package var losses: LossLog { state.withLock { $0.losses } }

    /// All workers.
    package var rows: [WorkerRef: WorkerRow] { state.withLock { $0.table.rows } }

    /// The newest revision that a watch or a listing of the workers has shown, and how long ago it did.
    package var news: (revision: Int64, age: Duration)? {
        state.withLock { state in state.sinceNews.map { (state.revision, $0.elapsed()) } }
    }

    /// How many workers of each pool are live.
    package var liveCounts: [PoolRef: Int] { state.withLock { $0.table.liveCounts } }

    /// Where the agents of live workers are reached, sorted.
    package var agents: [String] { state.withLock { $0.table.agents } }

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
        if let revision = events.last?.revision { noteNews(revision) }
    }

    private func noteNews(_ revision: Int64) {
        let now = environment.clock.stopwatch()
        state.withLock { state in
            state.revision = max(state.revision, revision)
            state.sinceNews = now
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
        noteNews(listing.revision)
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

    /// Reserves any free worker that would do.
    /// - Parameter avoided: taken only if there is no other.
    package func reserve(
        _ demand: WorkerDemand, avoiding avoided: WorkerRef? = nil, _ chance: Chance
    ) -> ReservedWorker? {
        state.withLock { $0.table.reserve(demand, avoiding: avoided, chance) }
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
    package func unreserve(_ ref: WorkerRef) { update { $0.unreserve(ref) } }

    /// Waits in order for a worker that would do, which is then reserved for the caller.
    /// - Parameters:
    ///   - limit: for the wait.
    ///   - capacity: of the queue.
    /// - Returns: nil when the queue is full, the time is up, or the task was cancelled.
    package func waitForWorker(
        _ demand: WorkerDemand, within limit: Duration, capacity: Int
    ) async -> ReservedWorker? {
        await withTaskGroup(of: ReservedWorker?.self) { group in
            group.addTask { await self.standInQueue(for: demand, capacity: capacity) }
            group.addTask {
                try? await self.environment.clock.sleep(for: limit)
                return nil
            }
            var worker = await group.next() ?? nil
            group.cancelAll()
            // It may have been served in the very moment in which the time was up.
            for await late in group { worker = worker ?? late }
            return worker
        }
    }

    /// How many wait for a worker now.
    package var waitingForWorkers: Int { state.withLock { $0.queue.count } }

    private func standInQueue(for demand: WorkerDemand, capacity: Int) async -> ReservedWorker? {
        let id = newWaiter()
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let outcome = state.withLock { state -> ReservedWorker?? in
                    if Task.isCancelled { return .some(nil) }
                    if let worker = state.table.reserve(demand, environment.chance) { return worker }
                    if state.queue.count >= capacity { return .some(nil) }
                    state.queue.append(id, demand, continuation)
                    return nil
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            state.withLock { $0.queue.remove(id) }?.resume(returning: nil)
        }
    }

    private func newWaiter() -> Int {
        state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
    }

    /// Waits until the worker's presence is not `incarnation` any more, or until the task is cancelled.
    package func waitUntilGone(_ ref: WorkerRef, _ incarnation: Incarnation) async {
        await wait { $0.rows[ref]?.presence?.incarnation != incarnation }
    }

    private func wait(until isOver: @escaping @Sendable (WorkerTable) -> Bool) async {
        let id = newWaiter()
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

    private func noteLosses(_ state: inout State) {
        for news in state.table.takeLossNews() {
            switch news {
            case .over(let ref): state.losses.end(ref)
            case .lost(let ref):
                guard let row = state.table.rows[ref], let binding = row.binding else { continue }
                state.losses.begin(
                    Loss(
                        worker: ref, actor: binding.value.actor, cause: row.presence == nil ? .gone : .replaced,
                        seenAtMilliseconds: environment.wallClock(), since: environment.clock.stopwatch()))
            }
        }
    }

    @discardableResult
    private func update<Result>(_ change: (inout WorkerTable) -> Result) -> Result {
        let (result, done, served) = state.withLock { state in
            let result = change(&state.table)
            noteLosses(&state)
            let done = state.waiters.filter { $1.isOver(state.table) }
            for id in done.keys { state.waiters[id] = nil }
            return (result, done, state.queue.serve(from: &state.table, environment.chance))
        }
        for (continuation, worker) in served { continuation.resume(returning: worker) }
        for waiter in done.values { waiter.continuation.resume() }
        listeners.tell()
        return result
    }
}
