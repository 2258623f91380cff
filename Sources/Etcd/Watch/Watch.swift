/// A change of one key.
public enum WatchEvent: Sendable, Equatable {
    /// The key was created or changed.
    case put(KeyValue)
    /// The key was deleted, at this revision.
    case delete(Key, revision: Int64)

    /// The key that changed.
    public var key: Key {
        switch self {
        case .put(let pair): pair.key
        case .delete(let key, _): key
        }
    }

    /// The revision of the change.
    public var revision: Int64 {
        switch self {
        case .put(let pair): pair.modRevision
        case .delete(_, let revision): revision
        }
    }
}

/// What a watch delivers.
public enum WatchBatch: Sendable, Equatable {
    /// Changes in the order of their revisions, whole revisions only.
    case events([WatchEvent])
    /// The next revision to report has been compacted away: read the range again and watch from there. The watch has
    /// ended with this.
    case compacted(oldestRevision: Int64)
}

/// Where a watch gets its batches from.
public protocol WatchSource: AnyObject, Sendable {
    /// The next batch, or nil after `compacted`. Called by one task at a time.
    /// - Throws: `EtcdError` when the watch can not go on, with code `.cancelled` when the task is cancelled.
    func next() async throws(EtcdError) -> WatchBatch?
}

/// The changes in a range of keys from some revision on: none missing, none twice, in order, across broken connections.
///
/// Reading is what drives it: a consumer that does not ask holds the server back and costs no memory here. One task may
/// iterate. Letting go of the watch and its iterator ends it at the server.
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
