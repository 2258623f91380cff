/// What is known of a range.
public enum RangeUpdate: Sendable, Equatable {
    /// All there is: replaces what was known before.
    case listed(Listing)
    /// What has changed since, in order, whole revisions only.
    case changed([WatchEvent])
}

/// All pairs of a range at one revision.
public struct Listing: Sendable, Equatable {
    /// The pairs, in the order of their keys.
    public let pairs: [KeyValue]
    /// The revision.
    public let revision: Int64

    /// Creates a listing, for those who implement `EtcdStore`.
    public init(pairs: [KeyValue], revision: Int64) {
        self.pairs = pairs
        self.revision = revision
    }
}

/// Follows the state of a range: lists it, then reports its changes, and lists it again whenever the history that the watch
/// needs has been compacted away. Whoever applies the updates one after the other has the state of the range at some
/// revision, which moves on only.
///
/// The sequence does not end by itself. It throws `EtcdError` when a read fails for good, which it does after the time limit
/// of a call, or when the watch may not be; iterating anew starts with a listing.
public struct ListThenWatch: AsyncSequence, Sendable {
    /// What it delivers.
    public typealias Element = RangeUpdate
    /// Errors after which it does not go on.
    public typealias Failure = EtcdError

    let store: any EtcdStore
    let range: KeyRange
    let pageSize: Int

    /// Starts with a listing.
    public func makeAsyncIterator() -> Iterator { Iterator(store: store, range: range, pageSize: pageSize) }

    /// Reads update by update.
    public struct Iterator: AsyncIteratorProtocol {
        let store: any EtcdStore
        let range: KeyRange
        let pageSize: Int
        private var watch: Watch.Iterator?

        init(store: any EtcdStore, range: KeyRange, pageSize: Int) {
            self.store = store
            self.range = range
            self.pageSize = pageSize
        }

        /// The next update.
        public mutating func next(isolation: isolated (any Actor)? = #isolation) async throws(EtcdError)
            -> RangeUpdate?
        {
            if case .events(let events) = try await watch?.next() { return .changed(events) }
            // The first time, or after a compaction. The new watch begins before anybody waits for its events.
            watch = nil
            let listing = try await store.list(range, pageSize: pageSize)
            watch = store.watch(range, from: listing.revision + 1).makeAsyncIterator()
            return .listed(listing)
        }
    }
}

extension EtcdStore {
    /// Follows the state of a range.
    /// - Parameter pageSize: pairs that are read at a time when it is listed.
    public func listThenWatch(_ range: KeyRange, pageSize: Int = 5000) -> ListThenWatch {
        ListThenWatch(store: self, range: range, pageSize: pageSize)
    }

    /// All pairs of a range, at one revision, read in pages. When the history is compacted faster than the pages can be read,
    /// they are read in one answer instead.
    /// - Parameter revision: nil for the latest. One that is compacted away makes it throw with code `.compacted`.
    public func list(_ range: KeyRange, at revision: Int64? = nil, pageSize: Int = 5000) async throws(EtcdError)
        -> Listing
    {
        do throws(EtcdError) {
            var pairs: [KeyValue] = []
            var listed = revision
            for try await page in pages(of: range, at: revision, pageSize: pageSize) {
                // Later pages show the state of the first one's revision, but tell the store's.
                listed = listed ?? page.revision
                pairs += page.pairs
            }
            return Listing(pairs: pairs, revision: listed ?? 0)
        } catch {
            guard error.code == .compacted, revision == nil else { throw error }
            let whole = try await self.range(RangeRequest(range))
            return Listing(pairs: whole.pairs, revision: whole.revision)
        }
    }
}
