internal import Etcd
package import SubstrateModel

extension Store {
    /// Where a listing of actors stands.
    package struct ActorCursor: Sendable, Equatable {
        /// The revision that all pages show.
        package var revision: Int64
        /// The actor behind which the next page begins.
        package var last: ActorRef
        /// About how many actors there are behind it. Decides only how they are asked for.
        package var remaining: Int

        package init(revision: Int64, last: ActorRef, remaining: Int) {
            self.revision = revision
            self.last = last
            self.remaining = remaining
        }
    }

    /// One page of actors.
    package struct ActorPage: Sendable {
        package var actors: [(ref: ActorRef, actor: Stored<Actor>)]
        /// The revision that the page shows.
        package var revision: Int64
        package var hasMore: Bool
        /// About how many there are behind the page.
        package var remaining: Int

        /// Where a listing stands that has taken the page up to this one of its actors.
        package func cursor(behind index: Int) -> ActorCursor {
            ActorCursor(
                revision: revision, last: actors[index].ref, remaining: remaining + actors.count - 1 - index)
        }

        /// Where the next page begins; nil when there is none.
        package var next: ActorCursor? { hasMore && !actors.isEmpty ? cursor(behind: actors.count - 1) : nil }
    }

    /// etcd walks through all keys of the range that it is asked for, to count them, however few it is to return, and no write goes
    /// on meanwhile. So a page of a listing with more to come than this is not asked for as one of all that remain.
    package static let widestRange = 20_000

    /// At most `limit` actors of one atespace, or of all, in the order of their keys. One read; for the later pages of a long
    /// listing a few.
    /// - Parameter widestRange: see there.
    /// - Throws: `.etcd` with code `.compacted` when the cursor's revision is gone.
    package func listActors(
        in atespace: String?, after cursor: ActorCursor?, limit: Int, widestRange: Int = Store.widestRange
    ) async throws(StoreError) -> ActorPage {
        let whole = atespace.map(keys.actors(in:)) ?? keys.actors
        let pairs: [KeyValue]
        let (revision, hasMore, remaining): (Int64, Bool, Int)
        do {
            if let cursor, cursor.remaining > widestRange {
                (pairs, hasMore) = try await nextPairs(of: whole, after: cursor, limit: limit)
                revision = cursor.revision
                remaining = cursor.remaining - pairs.count
            } else {
                let range = cursor.map { whole.continued(behind: keys.actor($0.last)) } ?? whole
                let response = try await etcd.range(RangeRequest(range, limit: limit, revision: cursor?.revision))
                (pairs, hasMore) = (response.pairs, response.hasMore)
                revision = cursor?.revision ?? response.revision
                remaining = response.count - pairs.count
            }
        } catch {
            throw StoreError(error)
        }
        var page = ActorPage(actors: [], revision: revision, hasMore: hasMore, remaining: max(remaining, 0))
        for pair in pairs {
            guard let ref = keys.actorRef(pair.key) else { continue }
            page.actors.append((ref, try Codec.decode(pair)))
        }
        return page
    }

    /// Reads what has as much as possible in common with the last key first, then what has a byte less, until there is enough.
    private func nextPairs(
        of whole: KeyRange, after cursor: ActorCursor, limit: Int
    ) async throws(EtcdError) -> (pairs: [KeyValue], hasMore: Bool) {
        let last = keys.actor(cursor.last).bytes
        var pairs: [KeyValue] = []
        // Names differ most at their end: three bytes are a thousand numbers, or at most fifty thousand names.
        var common = last.count - 3
        while true {
            let isWhole = common <= whole.start.bytes.count
            let part = isWhole ? whole : .prefix(Key(bytes: Array(last.prefix(common))))
            let behind = pairs.last?.key ?? Key(bytes: last)
            let response = try await etcd.range(
                RangeRequest(part.continued(behind: behind), limit: limit - pairs.count, revision: cursor.revision))
            pairs += response.pairs
            // Whether there is more behind a narrow range nobody has looked; it may turn out to be nothing.
            if pairs.count == limit { return (pairs, isWhole ? response.hasMore : true) }
            if isWhole { return (pairs, false) }
            common -= 1
        }
    }
}
