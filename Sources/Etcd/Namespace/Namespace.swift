/// A part of a store: the keys that begin with a prefix, seen without it. Nothing outside can be read, written or watched
/// through it. Leases are the cluster's, and so are revisions.
public struct Namespace: EtcdStore {
    /// What every key begins with in the store behind.
    public let prefix: Key
    private let store: any EtcdStore

    init(_ store: any EtcdStore, _ prefix: Key) {
        self.store = store
        self.prefix = prefix
    }

    /// Reads a range.
    public func range(_ request: RangeRequest) async throws(EtcdError) -> RangeResponse {
        inside(try await store.range(outside(request)))
    }

    /// Carries out a transaction.
    public func transaction(_ transaction: Transaction) async throws(EtcdError) -> TransactionResponse {
        let outer = Transaction()
            .when(transaction.conditions.map { Compare(outside($0.range), $0.relation, $0.target) })
            .then(transaction.success.map(outside)).otherwise(transaction.failure.map(outside))
        let response = try await store.transaction(transaction.isGuarded ? outer.guarded() : outer)
        var inner = TransactionResponse(
            succeeded: response.succeeded, revision: response.revision, results: response.results.map(inside))
        inner.earlierAttemptMayHaveSucceeded = response.earlierAttemptMayHaveSucceeded
        return inner
    }

    /// Watches a range.
    public func watch(_ request: WatchRequest) -> Watch {
        var outer = request
        outer.range = outside(request.range)
        return Watch(source: Source(store.watch(outer), self))
    }

    /// Asks for a lease.
    public func grantLease(timeToLive: Duration) async throws(EtcdError) -> Lease {
        try await store.grantLease(timeToLive: timeToLive)
    }

    /// Renews a lease.
    public func keepAlive(_ lease: LeaseID, within limit: Duration) async throws(EtcdError) {
        try await store.keepAlive(lease, within: limit)
    }

    /// Ends a lease, with its keys outside of the namespace too.
    public func revoke(_ lease: LeaseID) async throws(EtcdError) { try await store.revoke(lease) }

    private final class Source: WatchSource {
        private let watch: Watch
        private let namespace: Namespace

        init(_ watch: Watch, _ namespace: Namespace) {
            self.watch = watch
            self.namespace = namespace
        }

        func next() async throws(EtcdError) -> WatchBatch? {
            var iterator = watch.makeAsyncIterator()
            guard let batch = try await iterator.next() else { return nil }
            guard case .events(let events) = batch else { return batch }
            return .events(events.map(namespace.inside))
        }
    }
}

extension Namespace {
    private func outside(_ key: Key) -> Key { Key(bytes: prefix.bytes + key.bytes) }

    private func inside(_ key: Key) -> Key { Key(bytes: Array(key.bytes.dropFirst(prefix.bytes.count))) }

    private func outside(_ range: KeyRange) -> KeyRange {
        guard let end = range.end else { return .key(outside(range.start)) }
        let all = KeyRange.prefix(prefix)
        // One zero byte is the smallest key there can be.
        let start = range.start.bytes == [0] ? prefix : outside(range.start)
        guard end.bytes == [0] else { return .from(start, upTo: outside(end)) }
        return all.end.map { .from(start, upTo: $0) } ?? all
    }

    private func outside(_ request: RangeRequest) -> RangeRequest {
        var outer = request
        outer.range = outside(request.range)
        return outer
    }

    private func outside(_ operation: Transaction.Operation) -> Transaction.Operation {
        switch operation {
        case .range(let request): return .range(outside(request))
        case .put(var request):
            request.key = outside(request.key)
            return .put(request)
        case .deleteRange(var request):
            request.range = outside(request.range)
            return .deleteRange(request)
        }
    }

    private func inside(_ pair: KeyValue) -> KeyValue {
        KeyValue(
            key: inside(pair.key), value: pair.value, createRevision: pair.createRevision,
            modRevision: pair.modRevision, version: pair.version, lease: pair.lease)
    }

    private func inside(_ response: RangeResponse) -> RangeResponse {
        RangeResponse(
            revision: response.revision, pairs: response.pairs.map(inside), hasMore: response.hasMore,
            count: response.count)
    }

    private func inside(_ result: TransactionResponse.Result) -> TransactionResponse.Result {
        switch result {
        case .range(let response): .range(inside(response))
        case .put(let previous): .put(previous: previous.map(inside))
        case .deleteRange(let deleted, let previous):
            .deleteRange(deleted: deleted, previous: previous.map(inside))
        }
    }

    private func inside(_ event: WatchEvent) -> WatchEvent {
        switch event {
        case .put(let pair, let previous): .put(inside(pair), previous: previous.map(inside))
        case .delete(let key, let revision, let previous):
            .delete(inside(key), revision: revision, previous: previous.map(inside))
        }
    }
}

extension EtcdStore {
    /// The part of the store whose keys begin with `prefix`, as a store of its own. Namespaces can be nested.
    public func namespace(_ prefix: Key) -> Namespace { Namespace(self, prefix) }
}
