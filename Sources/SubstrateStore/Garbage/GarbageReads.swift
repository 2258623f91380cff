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

    /// What these actors and all templates name now. Two linearizable reads.
    package func namedSnapshots(of refs: [ActorRef]) async throws(StoreError) -> NamedSnapshots {
        var named = NamedSnapshots(snapshots: Set(try await listTemplates().compactMap(\.status.goldenSnapshot)))
        for (ref, row) in zip(refs, try await actors(refs)) {
            switch row {
            case .success(let actor): named.snapshots.formUnion(actor?.value.externalSnapshots ?? [])
            case .failure(let error): named.unreadable[ref] = error
            }
        }
        return named
    }
}

/// The snapshots that must not be removed.
package struct NamedSnapshots: Sendable {
    package var snapshots: Set<SnapshotURI>
    /// The actors whose row cannot be read, so that nobody can say what it names.
    package var unreadable: [ActorRef: StoreError] = [:]
}
