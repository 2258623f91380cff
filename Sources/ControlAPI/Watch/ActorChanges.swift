internal import Etcd
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// Puts changes together into updates.
///
/// An update holds whole revisions only, so that its own is one to go on from, and each actor once, so that nothing depends
/// on the order within it. It shows every change, since a second one of the same actor begins a new update.
struct ActorChanges {
    private(set) var updates: [ActorsUpdate] = []
    private var next = ActorsUpdate(revision: 0)
    private var refs: Set<ActorRef> = []
    private var bytes = 0

    /// - Parameters:
    ///   - events: whole revisions, in order. One revision's fit into a message: etcd takes no larger transactions.
    ///   - limit: bytes in an update, unless one revision alone has more.
    init(_ events: [WatchEvent], _ keys: Keys, limit: Int) throws(StoreError) {
        for revision in events.chunked(by: { $0.revision == $1.revision }) {
            var changes: [(ref: ActorRef, actor: ActorInfo?)] = []
            for event in revision {
                guard let ref = keys.actorRef(event.key) else { continue }
                switch event {
                case .put(let pair, _): changes.append((ref, ActorInfo(ref, try Codec.decode(pair))))
                case .delete: changes.append((ref, nil))
                }
            }
            let size = changes.reduce(0) { $0 + ($1.actor?.estimatedBytes ?? 256) }
            if bytes + size > limit || changes.contains(where: { refs.contains($0.ref) }) { flush() }
            bytes += size
            for (ref, actor) in changes {
                refs.insert(ref)
                if let actor { next.actors.append(actor) } else { next.deleted.append(ref) }
            }
            next.revision = revision.first?.revision ?? next.revision
        }
        flush()
    }

    private mutating func flush() {
        if !refs.isEmpty { updates.append(next) }
        next = ActorsUpdate(revision: next.revision)
        refs = []
        bytes = 0
    }
}

extension Array {
    /// The array in runs of neighbours that belong together.
    fileprivate func chunked(by belong: (Element, Element) -> Bool) -> [ArraySlice<Element>] {
        var runs: [ArraySlice<Element>] = []
        var start = startIndex
        for index in indices.dropFirst() where !belong(self[index - 1], self[index]) {
            runs.append(self[start..<index])
            start = index
        }
        return isEmpty ? [] : runs + [self[start...]]
    }
}
