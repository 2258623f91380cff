internal import Etcd
internal import SubstrateModel

extension Store {
    /// The writes that put an actor's next row in the place of the one that was read, or delete it, and that note in the
    /// same transaction which snapshots are named no more. Every change of a row goes through here, so none is forgotten.
    ///
    /// At most three writes: of its two snapshots an actor drops both only when it is deleted, and one otherwise.
    func replace(
        _ ref: ActorRef, _ actor: Actor, with next: Actor?
    ) throws(StoreError) -> [Transaction.Operation] {
        let key = keys.actor(ref)
        var writes: [Transaction.Operation] = []
        if let next { writes.append(.put(key, try Codec.encode(next, for: key))) } else { writes.append(.delete(key)) }
        return try writes + note(actor.snapshotsDropped(by: next), of: ref)
    }

    /// The writes that note dropped snapshots.
    func note(_ snapshots: [SnapshotURI], of ref: ActorRef) throws(StoreError) -> [Transaction.Operation] {
        var writes: [Transaction.Operation] = []
        for snapshot in snapshots {
            let key = keys.garbage(
                DroppedSnapshot(snapshot: snapshot, actor: ref, droppedAtMilliseconds: wallClock()))
            writes.append(.put(key, try Codec.encode(GarbageNote(actor: ref), for: key)))
        }
        return writes
    }
}
