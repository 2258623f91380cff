package import Etcd
package import SubstrateModel

/// A part of the dropped snapshots.
package struct GarbagePage: Sendable {
    package var dropped: [Stored<DroppedSnapshot>] = []
    /// Notes that are there but cannot be read.
    package var unreadable: [StoreError] = []
    /// Behind which the next page begins; nil when there is none.
    package var next: Key?
}

extension Store {
    /// Snapshots that were dropped until then, the oldest first.
    /// - Parameters:
    ///   - time: Unix time in milliseconds.
    ///   - key: where the page before has ended; nil for the first.
    package func garbage(
        untilMilliseconds time: Int64, behind key: Key?, limit: Int
    ) async throws(StoreError) -> GarbagePage {
        let whole = keys.garbage(untilMilliseconds: time)
        let response: RangeResponse
        do {
            response = try await etcd.range(
                RangeRequest(key.map(whole.continued(behind:)) ?? whole, limit: limit))
        } catch {
            throw StoreError(error)
        }
        var page = GarbagePage(next: response.hasMore ? response.pairs.last?.key : nil)
        for pair in response.pairs {
            do throws(StoreError) {
                page.dropped.append(try dropped(pair))
            } catch {
                page.unreadable.append(error)
            }
        }
        return page
    }

    private func dropped(_ pair: KeyValue) throws(StoreError) -> Stored<DroppedSnapshot> {
        let note = try Codec.decode(pair, as: GarbageNote.self)
        guard let dropped = keys.dropped(pair.key, of: note.value.actor) else {
            throw .unreadable(key: "\(pair.key)", reason: "its key is not a time and a URI with a slash between them")
        }
        return Stored(
            value: dropped, createRevision: pair.createRevision, modRevision: pair.modRevision, version: pair.version)
    }

    /// The external snapshots that these actors name now, and those that any template does: what must not be removed.
    /// Two linearizable reads.
    /// - Throws: `.unreadable` when one of the rows cannot be read: nobody can say what it names.
    package func namedSnapshots(of refs: [ActorRef]) async throws(StoreError) -> Set<SnapshotURI> {
        var named = Set(try await listTemplates().compactMap(\.status.goldenSnapshot))
        for row in try await actors(refs) { named.formUnion(try row.get()?.value.externalSnapshots ?? []) }
        return named
    }
}
