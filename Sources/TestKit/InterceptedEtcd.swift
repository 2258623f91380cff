package import Etcd
internal import Synchronization

/// An etcd store with places to step in: between a read and a write, in place of an answer, on the way of events. Counts
/// what passes.
package final class InterceptedEtcd: EtcdStore {
    /// What has passed.
    package struct Counts: Sendable, Equatable {
        package var ranges: Int
        package var readTransactions: Int
        package var writeTransactions: Int

        package init(ranges: Int = 0, readTransactions: Int = 0, writeTransactions: Int = 0) {
            self.ranges = ranges
            self.readTransactions = readTransactions
            self.writeTransactions = writeTransactions
        }
    }

    package typealias TransactionHook = @Sendable (Transaction) async throws -> Void
    package typealias WatchHook = @Sendable (KeyRange, Int64) async throws -> Void
    package typealias Rewriting = @Sendable (Transaction) -> Transaction
    package typealias EventFilter = @Sendable (WatchEvent) -> Bool

    private let base: any EtcdStore
    private let state = Mutex(State())

    private struct State {
        var counts = Counts()
        var renewals = 0
        var keysWalked = 0
        var rewriting: Rewriting?
        var beforeWrite: TransactionHook?
        var afterWrite: TransactionHook?
        var beforeWatch: WatchHook?
        var delivers: EventFilter?
        var isCutOff = false
    }

    package init(_ base: any EtcdStore) { self.base = base }

    package var counts: Counts { state.withLock { $0.counts } }

    /// Renewals of leases that have succeeded. They come when it is time, whatever a test does, so they are not counted in.
    package var renewals: Int { state.withLock { $0.renewals } }

    /// How many keys etcd has walked through to answer ranges: all that the range held, however few were asked for.
    package var keysWalked: Int { state.withLock { $0.keysWalked } }

    package func resetCounts() {
        state.withLock {
            $0.counts = Counts()
            $0.keysWalked = 0
        }
    }

    /// What is sent in the place of each transaction that writes.
    package func rewrite(_ rewriting: Rewriting?) { state.withLock { $0.rewriting = rewriting } }

    /// Called before a transaction that writes is sent. What it throws, an `EtcdError`, becomes the answer.
    package func beforeWrite(_ hook: TransactionHook?) { state.withLock { $0.beforeWrite = hook } }

    /// Called when a transaction that writes has been carried out. What it throws replaces the answer.
    package func afterWrite(_ hook: TransactionHook?) { state.withLock { $0.afterWrite = hook } }

    /// Called before a watch is opened, with what is watched and from which revision.
    package func beforeWatch(_ hook: WatchHook?) { state.withLock { $0.beforeWatch = hook } }

    /// Decides which events watches deliver.
    package func deliver(_ filter: EventFilter?) { state.withLock { $0.delivers = filter } }

    /// From now on nothing gets through but the events of watches.
    package func cutOff() { state.withLock { $0.isCutOff = true } }

    /// From now on everything gets through again.
    package func reconnect() { state.withLock { $0.isCutOff = false } }

    private func pass() throws(EtcdError) {
        guard state.withLock({ $0.isCutOff }) else { return }
        throw EtcdError(code: .unavailable, operation: "any", endpoint: "test", text: "cut off", outcome: .notApplied)
    }

    package func range(_ request: RangeRequest) async throws(EtcdError) -> RangeResponse {
        try pass()
        state.withLock { $0.counts.ranges += 1 }
        let response = try await base.range(request)
        state.withLock { $0.keysWalked += response.count }
        return response
    }

    package func transaction(_ transaction: Transaction) async throws(EtcdError) -> TransactionResponse {
        try pass()
        if transaction.isReadOnly {
            state.withLock { $0.counts.readTransactions += 1 }
            return try await base.transaction(transaction)
        }
        let (before, after, rewriting) = state.withLock { state in
            state.counts.writeTransactions += 1
            return (state.beforeWrite, state.afterWrite, state.rewriting)
        }
        let transaction = rewriting?(transaction) ?? transaction
        try await call(before, transaction)
        var response = try await base.transaction(transaction)
        do {
            try await call(after, transaction)
        } catch {
            // The answer got lost; a client that may repeat does so.
            guard transaction.isGuarded, error.isRetriable else { throw error }
            response = try await base.transaction(transaction)
            response.earlierAttemptMayHaveSucceeded = true
        }
        return response
    }

    private func call(_ hook: TransactionHook?, _ transaction: Transaction) async throws(EtcdError) {
        do {
            try await hook?(transaction)
        } catch let error as EtcdError {
            throw error
        } catch {
            throw EtcdError(code: .other, operation: "hook", endpoint: "test", text: "\(error)", outcome: .unknown)
        }
    }

    package func watch(_ request: WatchRequest) -> Watch {
        Watch(source: Source(owner: self, request: request))
    }

    package func grantLease(timeToLive: Duration) async throws(EtcdError) -> Lease {
        try pass()
        return try await base.grantLease(timeToLive: timeToLive)
    }

    package func keepAlive(_ lease: LeaseID, within limit: Duration) async throws(EtcdError) {
        try pass()
        try await base.keepAlive(lease, within: limit)
        state.withLock { $0.renewals += 1 }
    }

    package func revoke(_ lease: LeaseID) async throws(EtcdError) {
        try pass()
        try await base.revoke(lease)
    }

    private final class Source: WatchSource {
        private let owner: InterceptedEtcd
        private let request: WatchRequest
        private let opened = Mutex<Watch?>(nil)

        init(owner: InterceptedEtcd, request: WatchRequest) {
            self.owner = owner
            self.request = request
        }

        func next() async throws(EtcdError) -> WatchBatch? {
            var iterator = try await open().makeAsyncIterator()
            while let batch = try await iterator.next() {
                guard case .events(let events) = batch, let filter = owner.state.withLock({ $0.delivers }) else {
                    return batch
                }
                let delivered = events.filter(filter)
                if !delivered.isEmpty { return .events(delivered) }
            }
            return nil
        }

        private func open() async throws(EtcdError) -> Watch {
            if let watch = opened.withLock({ $0 }) { return watch }
            do {
                try await owner.state.withLock { $0.beforeWatch }?(request.range, request.revision)
            } catch {
                throw EtcdError(
                    code: .other, operation: "hook", endpoint: "test", text: "\(error)", outcome: .notApplied)
            }
            let watch = owner.base.watch(request)
            opened.withLock { $0 = watch }
            return watch
        }
    }
}
