package import Etcd
package import SubstrateModel
package import SubstrateStore

/// Which actors are between two stable states or are to be resumed, and which have an operation, as far as is known.
///
/// All come from one watch, so they are of the same revision: an actor in a transitional state without an operation has
/// been abandoned. Of those that have a worker the row is kept, so that their release, if it comes to that, need not read it; of
/// PAUSED ones the name, and of those at rest nothing but their number.
package struct LifecycleTable: Sendable {
    /// The revisions of the rows of actors that somebody has to bring on.
    private var unsettled: [ActorRef: Int64] = [:]
    private var operations: [ActorRef: Int64] = [:]
    private var paused: Set<ActorRef> = []
    /// The rows of actors that have a worker, at most one for each.
    private var placed: [ActorRef: Stored<Actor>] = [:]
    /// How many actors there are; nil before all have been listed.
    private var count: Int?

    package init() {}

    /// How many actors there are in which status; nil before all have been listed.
    package var census: ActorCensus? {
        guard let count else { return nil }
        var census = ActorCensus(stranded: abandoned.count)
        for row in placed.values { census.counts[row.value.status, default: 0] += 1 }
        if !paused.isEmpty { census.counts[.paused] = paused.count }
        census.counts[.suspended] = max(0, count - placed.count - paused.count)
        return census
    }

    /// The actors that nobody works on although somebody should, sorted.
    package var abandoned: [ActorRef] { unsettled.keys.filter { operations[$0] == nil }.sorted() }

    /// The revision of the actor's row while somebody has to bring it on.
    package func revision(of ref: ActorRef) -> Int64? { unsettled[ref] }

    /// The row of an actor that has a worker, as it was last seen.
    package func row(of ref: ActorRef) -> Stored<Actor>? { placed[ref] }

    /// Takes in all there is.
    package mutating func take(_ listing: Listing, _ keys: Keys) {
        self = LifecycleTable()
        count = 0
        for pair in listing.pairs { put(pair, keys, isNew: true) }
    }

    /// Takes in changes, in order.
    package mutating func take(_ events: [WatchEvent], _ keys: Keys) {
        for event in events {
            switch event {
            case .put(let pair, _): put(pair, keys, isNew: pair.createRevision == pair.modRevision)
            case .delete(let key, _, _):
                if let ref = keys.actorRef(key) {
                    unsettled[ref] = nil
                    paused.remove(ref)
                    placed[ref] = nil
                    count? -= 1
                }
                if let ref = keys.operationRef(key) { operations[ref] = nil }
            }
        }
    }

    /// Takes in which operations there were at a revision: one that is not among them is gone, whatever the watch said.
    package mutating func take(_ listed: [ActorRef: Stored<Operation>], at revision: Int64) {
        operations = operations.filter { listed[$0.key] != nil || $0.value > revision }
    }

    private mutating func put(_ pair: KeyValue, _ keys: Keys, isNew: Bool) {
        if let ref = keys.operationRef(pair.key) { operations[ref] = pair.modRevision }
        guard let ref = keys.actorRef(pair.key) else { return }
        if isNew { count? += 1 }
        // What cannot be read cannot be adopted either; whoever asks for the actor hears why.
        let row = try? Codec.decode(pair, as: Actor.self)
        let actor = row?.value
        placed[ref] = actor?.state.assignment == nil ? nil : row
        let needsSomebody = actor.map { $0.state.isTransitional || $0.isResumeDue } ?? false
        unsettled[ref] = needsSomebody ? pair.modRevision : nil
        if actor?.status == .paused { paused.insert(ref) } else { paused.remove(ref) }
    }
}
