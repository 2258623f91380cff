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
        /// With how many bytes all keys of the range began that was wide enough for the page before; 0 if there was none.
        package var shared: Int

        package init(revision: Int64, last: ActorRef, remaining: Int, shared: Int = 0) {
            self.revision = revision
            self.last = last
            self.remaining = remaining
            self.shared = shared
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
        /// As in a cursor.
        package var shared = 0

        /// Where a listing stands that has taken the page up to this one of its actors.
        package func cursor(behind index: Int) -> ActorCursor {
            ActorCursor(
                revision: revision, last: actors[index].ref, remaining: remaining + actors.count - 1 - index,
                shared: shared)
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
        var shared = 0
        do {
            let last = cursor.map { keys.actor($0.last) }
            if let cursor, let last, cursor.remaining > widestRange, last.bytes.starts(with: whole.start.bytes) {
                shared = cursor.shared
                (pairs, hasMore) = try await nextPairs(
                    of: whole, behind: last, cursor.revision, limit: limit, &shared)
                revision = cursor.revision
                remaining = cursor.remaining - pairs.count
            } else {
                let range = last.map { whole.continued(behind: max($0, whole.start)) } ?? whole
                let response = try await etcd.range(RangeRequest(range, limit: limit, revision: cursor?.revision))
                (pairs, hasMore) = (response.pairs, response.hasMore)
                revision = cursor?.revision ?? response.revision
                remaining = response.count - pairs.count
            }
        } catch {
            throw StoreError(error)
        }
        var page = ActorPage(
            actors: [], revision: revision, hasMore: hasMore, remaining: max(remaining, 0), shared: shared)
        for pair in pairs {
            guard let ref = keys.actorRef(pair.key) else { continue }
            page.actors.append((ref, try Codec.decode(pair)))
        }
        return page
    }

    /// Reads what has much in common with the last key first, then what has a byte less, until there is enough.
    /// - Parameter shared: for the page before, and then for this one.
    private func nextPairs(
        of whole: KeyRange, behind last: Key, _ revision: Int64, limit: Int, _ shared: inout Int
    ) async throws(EtcdError) -> (pairs: [KeyValue], hasMore: Bool) {
        var pairs: [KeyValue] = []
        // Names differ most at their end: three bytes are a thousand numbers, or at most fifty thousand names. What was wide enough
        // for the last page may have been so because it had to go on from a narrower range to the next.
        let narrowest = max(last.bytes.count - 3, 0)
        // It comes from a client, who may have put any number there.
        shared = shared > 0 && shared < narrowest ? shared + 1 : narrowest
        while true {
            let isWhole = shared <= whole.start.bytes.count
            let part = isWhole ? whole : .prefix(Key(bytes: Array(last.bytes.prefix(shared))))
            let response = try await etcd.range(
                RangeRequest(
                    part.continued(behind: pairs.last?.key ?? last), limit: limit - pairs.count, revision: revision))
            pairs += response.pairs
            // Whether there is more behind a narrow range nobody has looked; it may turn out to be nothing.
            if pairs.count == limit { return (pairs, isWhole ? response.hasMore : true) }
            if isWhole { return (pairs, false) }
            shared -= 1
        }
    }
}
