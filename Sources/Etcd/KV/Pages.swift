/// Reads a large range in pages that all show the state of one revision: the one of the first page, or the one given.
///
/// When that revision is compacted away meanwhile, the iteration throws `EtcdError` with code `.compacted`.
public struct Pages: AsyncSequence, Sendable {
    /// One page.
    public typealias Element = RangeResponse
    /// Errors of the reads.
    public typealias Failure = EtcdError

    let store: any EtcdStore
    let range: KeyRange
    let revision: Int64?
    let pageSize: Int

    /// Starts at the first page.
    public func makeAsyncIterator() -> Iterator {
        Iterator(store: store, next: RangeRequest(range, limit: pageSize, revision: revision))
    }

    /// Reads page by page.
    public struct Iterator: AsyncIteratorProtocol {
        let store: any EtcdStore
        var next: RangeRequest?

        /// The next page, or nil behind the last one.
        public mutating func next(isolation: isolated (any Actor)? = #isolation) async throws(EtcdError)
            -> RangeResponse?
        {
            guard var request = next else { return nil }
            let page = try await store.range(request)
            request.revision = request.revision ?? page.revision
            if page.hasMore, let last = page.pairs.last {
                request.range = request.range.continued(behind: last.key)
                next = request
            } else {
                next = nil
            }
            return page
        }
    }
}

extension EtcdStore {
    /// The range in pages of one revision.
    /// - Parameter pageSize: 5,000 keeps a page of small records below a megabyte or two and the server's counting cheap.
    public func pages(of range: KeyRange, at revision: Int64? = nil, pageSize: Int = 5000) -> Pages {
        Pages(store: self, range: range, revision: revision, pageSize: pageSize)
    }
}
