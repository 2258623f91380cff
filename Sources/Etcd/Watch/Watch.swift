/// What to watch, and from when on.
public struct WatchRequest: Sendable, Equatable {
    /// Kinds of changes.
    public enum Filter: Sendable, Equatable { case putsOnly, deletesOnly }

    /// The keys.
    public var range: KeyRange
    /// The first revision to report, usually one more than that of a read of the same range. There is no "from now": a watch
    /// that has not yet seen an event could not resume without losing some.
    public var revision: Int64
    /// Report with each change the pair as it was before, where the history still has it.
    public var includesPrevious = false
    /// Report only some of the changes; nil for all.
    public var filter: Filter?

    /// A watch of all changes in the range.
    public init(_ range: KeyRange, from revision: Int64) {
        self.range = range
        self.revision = revision
    }
}

/// A change of one key.
public enum WatchEvent: Sendable, Equatable {
    /// The key was created or changed. `previous` is the pair before, if the watch asked for it and there was one.
    case put(KeyValue, previous: KeyValue? = nil)
    /// The key was deleted, at this revision.
    case delete(Key, revision: Int64, previous: KeyValue? = nil)

    /// The key that changed.
    public var key: Key {
        switch self {
        case .put(let pair, _): pair.key
        case .delete(let key, _, _): key
        }
    }

    /// The revision of the change.
    public var revision: Int64 {
        switch self {
        case .put(let pair, _): pair.modRevision
        case .delete(_, let revision, _): revision
        }
    }

    /// The pair before the change, if the watch asked for it and there was one.
    public var previous: KeyValue? {
        switch self {
        case .put(_, let previous), .delete(_, _, let previous): previous
        }
    }
}

/// What a watch delivers.
public enum WatchBatch: Sendable, Equatable {
    /// Changes in the order of their revisions, whole revisions only.
    case events([WatchEvent])
    /// The next revision to report has been compacted away: read the range again and watch from there, as `listThenWatch`
    /// does. The watch has ended with this.
    case compacted(oldestRevision: Int64)
}

/// Where a watch gets its batches from.
public protocol WatchSource: AnyObject, Sendable {
    /// The next batch, or nil after `compacted`. Called by one task at a time.
    /// - Throws: `EtcdError` when the watch can not go on, with code `.cancelled` when the task is cancelled.
    func next() async throws(EtcdError) -> WatchBatch?
}

/// The changes in a range of keys from some revision on: none missing, none twice, in order, across broken connections and
/// from one member to another.
///
/// It begins with the first reading. A consumer that does not keep up costs a bounded amount of memory and does not hold
/// back others. One task may iterate. Letting go of the watch and its iterator ends it at the server.
public struct Watch: AsyncSequence, Sendable {
    /// What it delivers.
    public typealias Element = WatchBatch
    /// Errors after which it does not go on.
    public typealias Failure = EtcdError

    private let source: any WatchSource

    /// A watch that reads from `source`.
    public init(source: any WatchSource) { self.source = source }

    /// Iterates over the batches.
    public func makeAsyncIterator() -> Iterator { Iterator(source: source) }

    /// Reads batch by batch.
    public struct Iterator: AsyncIteratorProtocol {
        let source: any WatchSource

        /// The next batch.
        public mutating func next(isolation: isolated (any Actor)? = #isolation) async throws(EtcdError) -> WatchBatch?
        {
            try await source.next()
        }
    }
}

extension EtcdStore {
    /// Watches all changes in a range.
    public func watch(_ range: KeyRange, from revision: Int64) -> Watch { watch(WatchRequest(range, from: revision)) }
}
