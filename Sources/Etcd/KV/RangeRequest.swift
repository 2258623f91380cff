/// A read of one key or an interval.
public struct RangeRequest: Sendable, Equatable {
    /// An order of pairs.
    public struct Sort: Sendable, Equatable {
        /// What is compared.
        public enum Target: Sendable, Equatable { case key, version, createRevision, modRevision, value }

        /// What is compared.
        public var target: Target
        /// Whether the greatest comes first.
        public var isDescending: Bool

        /// Smallest first.
        public static func ascending(_ target: Target) -> Sort { Sort(target: target, isDescending: false) }
        /// Greatest first.
        public static func descending(_ target: Target) -> Sort { Sort(target: target, isDescending: true) }
    }

    /// What to read.
    public var range: KeyRange
    /// Most pairs to return; nil for all. A limited range still makes the server count the rest, so page generously.
    public var limit: Int?
    /// Read the state of this revision; nil for the latest.
    public var revision: Int64?
    /// Let the member answer from what it has, which may be old, though never older than what this client has already seen.
    /// Cheaper, as there is no round trip to the leader, and possible without a leader.
    public var isSerializable = false
    /// Leave the values out.
    public var keysOnly = false
    /// Return only the count.
    public var countOnly = false
    /// The order of the pairs, nil for that of the keys; the server sorts before it cuts at the limit.
    public var sort: Sort?
    /// Only keys whose last put has at least this revision.
    public var minimumModRevision: Int64?
    /// Only keys whose last put has at most this revision.
    public var maximumModRevision: Int64?
    /// Only keys that were created at this revision or later.
    public var minimumCreateRevision: Int64?
    /// Only keys that were created at this revision or before.
    public var maximumCreateRevision: Int64?

    /// A linearizable read of everything in `range`.
    public init(_ range: KeyRange, limit: Int? = nil, revision: Int64? = nil) {
        self.range = range
        self.limit = limit
        self.revision = revision
    }

    /// A linearizable read of one key.
    public static func key(_ key: Key) -> RangeRequest { RangeRequest(.key(key)) }
}

/// What a read found.
public struct RangeResponse: Sendable, Equatable {
    /// The store's revision when the read was served; for a read of an older revision still the latest.
    public let revision: Int64
    /// The pairs, in the order asked for.
    public let pairs: [KeyValue]
    /// Whether the limit cut the answer.
    public let hasMore: Bool
    /// Pairs in the range, whatever the limit.
    public let count: Int

    /// Creates a response, for those who implement `EtcdStore`.
    public init(revision: Int64, pairs: [KeyValue], hasMore: Bool, count: Int) {
        self.revision = revision
        self.pairs = pairs
        self.hasMore = hasMore
        self.count = count
    }
}
