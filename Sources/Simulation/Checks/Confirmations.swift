import SubstrateModel

/// The snapshots that nodes have completed, and which of them are still there.
///
/// `@unchecked`: see `Scheduler`.
final class Confirmations: @unchecked Sendable {
    private struct Entry: Hashable {
        var snapshot: Snapshot
        var epoch: Epoch
    }

    private var all: Set<Entry> = []
    private var present: Set<SnapshotURI> = []

    func add(_ snapshot: Snapshot, _ epoch: Epoch) {
        all.insert(Entry(snapshot: snapshot, epoch: epoch))
        if case .external(let uri) = snapshot { present.insert(uri) }
    }

    func contains(_ snapshot: Snapshot, _ epoch: Epoch) -> Bool {
        all.contains(Entry(snapshot: snapshot, epoch: epoch))
    }

    func has(_ uri: SnapshotURI) -> Bool { present.contains(uri) }

    func remove(_ uri: SnapshotURI) { present.remove(uri) }
}
