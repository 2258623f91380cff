import Etcd
import SubstrateStore

/// One watch of one process, which breaks now and then and goes on where it was, and which sometimes is not told of a
/// deletion, as servers have been seen to do.
///
/// `@unchecked`: see `Scheduler`.
final class SimulatedWatch: WatchSource, @unchecked Sendable {
    private let etcd: SimulatedEtcd
    private var cursor: WatchCursor
    private var process: SimulatedProcess { etcd.process }
    private var scheduler: Scheduler { process.scheduler }

    init(_ etcd: SimulatedEtcd, _ request: WatchRequest) {
        self.etcd = etcd
        cursor = WatchCursor(request)
    }

    func next() async throws(EtcdError) -> WatchBatch? {
        while true {
            try await waitForNews()
            if etcd.faults.strikes(.watchBroken) { try await reconnect() }
            switch cursor.read(etcd.cluster.model) {
            case .over: return nil
            case .nothing: continue
            case .batch(.events(let events)):
                let delivered = events.filter { !isLost($0) }.map { etcd.bug?.misreading($0) ?? $0 }
                if !delivered.isEmpty { return .events(delivered) }
            case .batch(let batch): return batch
            }
        }
    }

    /// Waits for something to read, and until it has arrived.
    private func waitForNews() async throws(EtcdError) {
        let cluster = etcd.cluster
        var listener: Int?
        let news: Void? = await process.wait { [self] answer in
            let arrive = { [self] in scheduler.after(etcd.faults.watchDelay()) { answer(()) } }
            if cursor.hasNews(cluster.model) { return arrive() }
            var isOnItsWay = false
            listener = cluster.listen { [self] in
                guard !isOnItsWay, cursor.hasNews(cluster.model) else { return }
                isOnItsWay = true
                arrive()
            }
        }
        if let listener { cluster.stopListening(listener) }
        if news == nil || process.isDead || Task.isCancelled { throw .refused(.cancelled, "the task was cancelled") }
    }

    private func reconnect() async throws(EtcdError) {
        try await pause(scheduler.random.duration(.milliseconds(50), .seconds(2)))
        // What the server says when a watch is created is its revision, which is not where the watch stands.
        if etcd.bug == .watchFromCreatedHeader { cursor.next = etcd.cluster.model.revision + 1 }
    }

    private func pause(_ duration: Duration) async throws(EtcdError) {
        let scheduler = scheduler
        guard await process.wait({ answer in scheduler.after(duration) { answer(()) } }) != nil else {
            throw .refused(.cancelled, "the task was cancelled")
        }
    }

    private func isLost(_ event: WatchEvent) -> Bool {
        switch event {
        case .delete: return etcd.faults.strikes(.watchEventLost)
        case .put:
            // More than servers have been seen to do. What the control plane thinks of workers is to stand even that.
            guard case .live = StepKind.keys.worker(event.key) else { return false }
            return etcd.faults.strikes(.presenceNotShown)
        }
    }
}
