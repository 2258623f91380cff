package import Etcd

/// One etcd cluster as its clients see it: revisions, transactions, leases, the history that watches read, compaction.
///
/// It answers at once and never fails by itself; delays and faults are the business of who stands between it and a client.
/// One contract suite holds it against real etcd.
package struct EtcdModel {
    /// Of the last write; a new store has 1.
    package private(set) var revision: Int64 = 1
    /// History before this revision is gone.
    package private(set) var compactedRevision: Int64 = 0
    /// Sorted by key.
    private(set) var pairs: [KeyValue] = []
    /// Every change since the compaction, with the pair before.
    private var history: [WatchEvent] = []
    var leases: [LeaseID: LeaseRecord] = [:]
    var nextLease: Int64 = 0x1000

    struct LeaseRecord {
        var timeToLive: Duration
        var deadline: Duration
    }

    package init() {}

    // MARK: Reads

    func pair(_ key: Key) -> KeyValue? {
        let index = position(of: key)
        return index < pairs.count && pairs[index].key == key ? pairs[index] : nil
    }

    /// The first place whose key is not before this one.
    private func position(of key: Key) -> Int {
        var low = 0
        var high = pairs.count
        while low < high {
            let middle = (low + high) / 2
            if pairs[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func indices(in range: KeyRange) -> Range<Int> {
        let start = position(of: range.start)
        var end = start
        while end < pairs.count, range.contains(pairs[end].key) { end += 1 }
        return start..<end
    }

    func pairs(in range: KeyRange) -> ArraySlice<KeyValue> { pairs[indices(in: range)] }

    package func range(_ request: RangeRequest) throws(EtcdError) -> RangeResponse {
        if request.range.start.bytes.isEmpty { throw .refused(.invalidRequest, "key is not provided") }
        var found: [KeyValue]
        if let wanted = request.revision, wanted > 0 {
            if wanted > revision { throw .refused(.futureRevision, "required revision is a future revision") }
            if wanted < compactedRevision { throw .refused(.compacted, "required revision has been compacted") }
            found = state(at: wanted).filter { request.range.contains($0.key) }
        } else {
            found = Array(pairs(in: request.range))
        }
        let count = found.count
        found = found.filter(request.admits)
        if let sort = request.sort { found = sort.applied(to: found) }
        let limit = request.limit ?? 0
        let hasMore = limit > 0 && found.count > limit
        if hasMore { found = Array(found.prefix(limit)) }
        if request.countOnly { found = [] }
        if request.keysOnly { found = found.map(\.withoutValue) }
        return RangeResponse(revision: revision, pairs: found, hasMore: hasMore && !request.countOnly, count: count)
    }

    /// The whole store as it was: all later changes taken back.
    private func state(at wanted: Int64) -> [KeyValue] {
        var state = Dictionary(uniqueKeysWithValues: pairs.map { ($0.key, $0) })
        for event in history.reversed() where event.revision > wanted { state[event.key] = event.previous }
        return state.values.sorted { $0.key < $1.key }
    }

    // MARK: Writes

    /// Stores and deletes as one revision.
    struct Change {
        fileprivate(set) var events: [WatchEvent] = []
    }

    mutating func put(_ request: PutRequest, _ change: inout Change) -> KeyValue? {
        let before = pair(request.key)
        let next = revision + 1
        let pair = KeyValue(
            key: request.key, value: request.value, createRevision: before?.createRevision ?? next, modRevision: next,
            version: (before?.version ?? 0) + 1, lease: request.keepsLease ? before?.lease : request.lease)
        let index = position(of: request.key)
        if before != nil { pairs[index] = pair } else { pairs.insert(pair, at: index) }
        change.events.append(.put(pair, previous: before))
        return before
    }

    mutating func delete(_ range: KeyRange, _ change: inout Change) -> [KeyValue] {
        let doomed = indices(in: range)
        let gone = Array(pairs[doomed])
        pairs.removeSubrange(doomed)
        change.events += gone.map { .delete($0.key, revision: revision + 1, previous: $0) }
        return gone
    }

    /// Makes the change the next revision. One of nothing is none.
    mutating func commit(_ change: Change) {
        if change.events.isEmpty { return }
        revision += 1
        history += change.events
    }

    // MARK: History

    /// What has changed in a range from `start` on; nil when some of that is compacted away.
    func events(in range: KeyRange, from start: Int64) -> [WatchEvent]? {
        if start < compactedRevision { return nil }
        var first = history.count
        while first > 0, history[first - 1].revision >= start { first -= 1 }
        return history[first...].filter { range.contains($0.key) }
    }

    /// All changes of the latest revision.
    var latestEvents: ArraySlice<WatchEvent> {
        var first = history.count
        while first > 0, history[first - 1].revision == revision { first -= 1 }
        return history[first...]
    }

    /// Forgets the history up to the revision. Of the revision itself, as in servers before 3.4.36, the deletions are
    /// forgotten too, although a watch may still begin there: it loses them.
    package mutating func compact(_ wanted: Int64) throws(EtcdError) {
        if wanted > revision { throw .refused(.futureRevision, "required revision is a future revision") }
        if wanted <= compactedRevision { throw .refused(.compacted, "required revision has been compacted") }
        compactedRevision = wanted
        history.removeAll { event in
            if case .delete = event, event.revision == wanted { return true }
            return event.revision < wanted
        }
    }
}

extension EtcdError {
    /// What the server says before it would change anything.
    static func refused(_ code: Code, _ text: String) -> EtcdError {
        EtcdError(code: code, operation: "call", endpoint: "model", text: text, outcome: .notApplied)
    }
}

extension RangeRequest {
    fileprivate func admits(_ pair: KeyValue) -> Bool {
        pair.modRevision >= minimumModRevision ?? 0 && pair.modRevision <= maximumModRevision ?? .max
            && pair.createRevision >= minimumCreateRevision ?? 0
            && pair.createRevision <= maximumCreateRevision ?? .max
    }
}

extension RangeRequest.Sort {
    fileprivate func applied(to pairs: [KeyValue]) -> [KeyValue] {
        func precedes(_ left: KeyValue, _ right: KeyValue) -> Bool {
            switch target {
            case .key: left.key < right.key
            case .version: left.version < right.version
            case .createRevision: left.createRevision < right.createRevision
            case .modRevision: left.modRevision < right.modRevision
            case .value: left.value.lexicographicallyPrecedes(right.value)
            }
        }
        return pairs.sorted { isDescending ? precedes($1, $0) : precedes($0, $1) }
    }
}

extension KeyValue {
    fileprivate var withoutValue: KeyValue {
        KeyValue(
            key: key, value: [], createRevision: createRevision, modRevision: modRevision, version: version,
            lease: lease)
    }
}
