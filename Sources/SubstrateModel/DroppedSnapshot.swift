/// An external snapshot that an actor's row has named and names no more. A name that was dropped never comes back: each
/// is made of random bits for one suspend. So nobody needs the snapshot any more but a backup that is restored.
package struct DroppedSnapshot: Sendable, Equatable {
    package var snapshot: SnapshotURI
    /// Whose row it was.
    package var actor: ActorRef
    /// Unix time in milliseconds by the clock of the replica that dropped it.
    package var droppedAtMilliseconds: Int64

    package init(snapshot: SnapshotURI, actor: ActorRef, droppedAtMilliseconds: Int64) {
        self.snapshot = snapshot
        self.actor = actor
        self.droppedAtMilliseconds = droppedAtMilliseconds
    }
}

extension Actor {
    /// The external snapshots that the row names: the last good one, and the one being written. Local ones are the node's
    /// to remove.
    package var externalSnapshots: [SnapshotURI] {
        guard case .external(let inProgress) = state.inProgressSnapshot, inProgress != lastSnapshot else {
            return lastSnapshot.map { [$0] } ?? []
        }
        return (lastSnapshot.map { [$0] } ?? []) + [inProgress]
    }

    /// The external snapshots that are named no more once `next` takes the place of this row; nil when it is deleted.
    package func snapshotsDropped(by next: Actor?) -> [SnapshotURI] {
        let kept = next?.externalSnapshots ?? []
        return externalSnapshots.filter { !kept.contains($0) }
    }
}
