package import Etcd
internal import Synchronization

/// The model as a store of its own, without delays or faults: what the contract suite holds against real etcd.
///
/// Its leases run on no clock: they expire when they are told to.
package final class ModelStore: EtcdStore {
    private let state = Mutex(State())

    private struct State {
        var model = EtcdModel()
        var waiting: [Int: UnsafeContinuation<Void, Never>] = [:]
        var nextWait = 0
    }

    package init() {}

    private func write<Value: Sendable>(_ body: (inout EtcdModel) throws(EtcdError) -> Value) throws(EtcdError) -> Value
    {
        let (result, waiting) = state.withLock { state in
            let result = Result { () throws(EtcdError) in try body(&state.model) }
            defer { state.waiting = [:] }
            return (result, state.waiting)
        }
        for continuation in waiting.values { continuation.resume() }
        return try result.get()
    }

    package func range(_ request: RangeRequest) async throws(EtcdError) -> RangeResponse {
        try write { (model) throws(EtcdError) in try model.range(request) }
    }

    package func transaction(_ transaction: Transaction) async throws(EtcdError) -> TransactionResponse {
        try write { (model) throws(EtcdError) in try model.transaction(transaction) }
    }

    package func grantLease(timeToLive: Duration) async throws(EtcdError) -> Lease {
        try write { (model) throws(EtcdError) in model.grant(timeToLive, at: .zero) }
    }

    package func keepAlive(_ lease: LeaseID, within limit: Duration) async throws(EtcdError) {
        try write { (model) throws(EtcdError) in try model.keepAlive(lease, at: .zero) }
    }

    package func revoke(_ lease: LeaseID) async throws(EtcdError) {
        try write { (model) throws(EtcdError) in model.revoke(lease) }
    }

    package func compact(_ revision: Int64) async throws(EtcdError) {
        try write { (model) throws(EtcdError) in try model.compact(revision) }
    }

    package func watch(_ request: WatchRequest) -> Watch { Watch(source: Source(self, request)) }

    /// How many watches wait for something to happen.
    package var waits: Int { state.withLock { $0.waiting.count } }

    /// Waits for the next write, or the end of the task.
    private func waitForWrite(after revision: Int64) async {
        let id = state.withLock { state in
            defer { state.nextWait += 1 }
            return state.nextWait
        }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let isOver = state.withLock { state in
                    if Task.isCancelled || state.model.revision != revision { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }

    private final class Source: WatchSource {
        private let store: ModelStore
        private let cursor: Mutex<WatchCursor>

        init(_ store: ModelStore, _ request: WatchRequest) {
            self.store = store
            cursor = Mutex(WatchCursor(request))
        }

        func next() async throws(EtcdError) -> WatchBatch? {
            while true {
                if Task.isCancelled { throw .refused(.cancelled, "the task was cancelled") }
                let (batch, revision) = store.state.withLock { state in
                    (cursor.withLock { $0.read(state.model) }, state.model.revision)
                }
                switch batch {
                case .batch(let batch): return batch
                case .over: return nil
                case .nothing: await store.waitForWrite(after: revision)
                }
            }
        }
    }
}

/// Where a watch stands in the history.
struct WatchCursor {
    let request: WatchRequest
    /// The first revision that has not been delivered.
    var next: Int64
    private var isOver = false

    enum Reading {
        case batch(WatchBatch)
        case nothing
        case over
    }

    init(_ request: WatchRequest) {
        self.request = request
        next = request.revision
    }

    /// Whether there is something to read. Where there is nothing it moves on, as a server does for a watch that is up to
    /// date: a compaction does not concern it then.
    mutating func hasNews(_ model: EtcdModel) -> Bool {
        if isOver { return true }
        guard let events = model.events(in: request.range, from: next), !events.contains(where: request.admits) else {
            return true
        }
        next = max(next, model.revision + 1)
        return false
    }

    /// Takes what has happened since, all of it.
    mutating func read(_ model: EtcdModel) -> Reading {
        if isOver { return .over }
        guard let events = model.events(in: request.range, from: next) else {
            isOver = true
            return .batch(.compacted(oldestRevision: model.compactedRevision))
        }
        next = max(next, model.revision + 1)
        let delivered = events.filter(request.admits).map(request.shown)
        return delivered.isEmpty ? .nothing : .batch(.events(delivered))
    }
}

extension WatchRequest {
    fileprivate func admits(_ event: WatchEvent) -> Bool {
        switch (filter, event) {
        case (.putsOnly, .delete), (.deletesOnly, .put): false
        default: true
        }
    }

    fileprivate func shown(_ event: WatchEvent) -> WatchEvent {
        if includesPrevious { return event }
        switch event {
        case .put(let pair, _): return .put(pair)
        case .delete(let key, let revision, _): return .delete(key, revision: revision)
        }
    }
}
