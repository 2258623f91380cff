package import ServiceKit
package import SubstrateModel
package import SubstrateStore

/// A worker as the two keys of it say.
package struct WorkerRow: Sendable, Equatable {
    package var presence: Stored<Presence>?
    package var binding: Stored<Binding>?

    package init(presence: Stored<Presence>? = nil, binding: Stored<Binding>? = nil) {
        self.presence = presence
        self.binding = binding
    }

    /// Bound, and its presence is gone or another than the one that was bound.
    package var isLost: Bool {
        guard let binding else { return false }
        return presence?.incarnation != binding.value.incarnation
    }

    /// The actor that is to be suspended because the worker drains: one that runs, on the very presence that was bound.
    package var isToBeVacated: Bool {
        guard let presence, let binding, !isLost else { return false }
        return presence.value.isDraining && binding.value.phase == .ready
    }

    /// Live, not draining, not bound.
    package var isFree: Bool {
        guard let presence, binding == nil else { return false }
        return !presence.value.isDraining
    }
}

/// All workers as far as is known, from listings and changes in whatever order they come.
///
/// Each piece of news has a revision and counts only if it is newer than what is known of the key. So a listing that took
/// its time, a watch that is ahead of it, and our own writes can all be taken in as they arrive, and none undoes another.
package struct WorkerTable: Sendable {
    package private(set) var rows: [WorkerRef: WorkerRow] = [:]
    /// The workers that are lost.
    package private(set) var lost: Set<WorkerRef> = []
    /// The draining workers whose actors run.
    package private(set) var toBeVacated: Set<WorkerRef> = []
    private var free = FreeWorkers()
    /// Deletions since the newest listing, which older news must not undo.
    private var deletions: [Keys.WorkerKey: Int64] = [:]
    /// The revision of the newest listing. A key that is not here was absent at that revision, or is since.
    private var listedAt: Int64 = 0
    private let keepsLossNews: Bool
    private var lossNews: [LossNews] = []

    package enum LossNews: Sendable, Equatable {
        case lost(WorkerRef)
        /// Its binding is gone, or is another one.
        case over(WorkerRef)
    }

    /// - Parameter keepsLossNews: whether somebody asks for them, again and again.
    package init(keepsLossNews: Bool = false) { self.keepsLossNews = keepsLossNews }

    /// Which workers have become lost, and are so no more, since this was last asked.
    package mutating func takeLossNews() -> [LossNews] {
        if lossNews.isEmpty { return [] }
        defer { lossNews = [] }
        return lossNews
    }

    /// A key was put. Returns whether that was news.
    @discardableResult
    package mutating func put(_ presence: Stored<Presence>, of ref: WorkerRef) -> Bool {
        guard presence.modRevision > known(.live(ref)) else { return false }
        deletions[.live(ref)] = nil
        update(ref) { $0.presence = presence }
        return true
    }

    /// A key was put. Returns whether that was news.
    @discardableResult
    package mutating func put(_ binding: Stored<Binding>, of ref: WorkerRef) -> Bool {
        guard binding.modRevision > known(.bound(ref)) else { return false }
        deletions[.bound(ref)] = nil
        update(ref) { $0.binding = binding }
        return true
    }

    /// A key is absent as of `revision`. Returns whether that was news.
    @discardableResult
    package mutating func remove(_ key: Keys.WorkerKey, at revision: Int64) -> Bool {
        guard revision > known(key) else { return false }
        deletions[key] = revision
        update(key.ref) { row in
            switch key {
            case .live: row.presence = nil
            case .bound: row.binding = nil
            }
        }
        return true
    }

    /// Takes in the state as of the listing's revision. Returns the workers of which it told something that the changes
    /// had not: after the first listing there should be none.
    @discardableResult
    package mutating func take(_ listing: WorkerListing) -> [WorkerRef] {
        var news: Set<WorkerRef> = []
        for (ref, presence) in listing.live.sorted(by: { $0.key < $1.key }) where put(presence, of: ref) {
            news.insert(ref)
        }
        for (ref, binding) in listing.bound.sorted(by: { $0.key < $1.key }) where put(binding, of: ref) {
            news.insert(ref)
        }
        for (ref, row) in rows.sorted(by: { $0.key < $1.key }) {
            if row.presence != nil, listing.live[ref] == nil, remove(.live(ref), at: listing.revision) {
                news.insert(ref)
            }
            if row.binding != nil, listing.bound[ref] == nil, remove(.bound(ref), at: listing.revision) {
                news.insert(ref)
            }
        }
        listedAt = max(listedAt, listing.revision)
        deletions = deletions.filter { $0.value > listedAt }
        return news.sorted()
    }

    /// Takes any free worker that would do, at random, and reserves it: it is not free again before `unreserve`, or before
    /// its rows have changed.
    /// - Parameter avoided: taken only if there is no other.
    package mutating func reserve(_ demand: WorkerDemand, avoiding avoided: WorkerRef? = nil, _ chance: Chance) -> (
        ref: WorkerRef, presence: Stored<Presence>
    )? {
        var last: (ref: WorkerRef, presence: Stored<Presence>)?
        while let ref = free.take(from: demand.pools, nodes: demand.nodes, chance) {
            guard let presence = rows[ref]?.presence else { continue }
            if ref != avoided {
                if let last { unreserve(last.ref) }
                return (ref, presence)
            }
            last = (ref, presence)
        }
        return last
    }

    /// Makes a reserved worker free again, if its rows still say so.
    package mutating func unreserve(_ ref: WorkerRef) {
        if let row = rows[ref] { setFree(ref, row) }
    }

    /// How many workers of the pool could be reserved now.
    package func freeCount(in pool: PoolRef) -> Int { free.count(in: pool) }

    /// How many workers of each pool are live.
    package var liveCounts: [PoolRef: Int] {
        rows.reduce(into: [:]) { if $1.value.presence != nil { $0[$1.key.pool, default: 0] += 1 } }
    }

    /// Where the agents of live workers are reached, sorted.
    package var agents: [String] { Set(rows.values.compactMap(\.presence?.value.agentAddress)).sorted() }

    /// The names under which the agent with this state directory offers workers.
    package func nodes(withDirectory id: String) -> Set<String> {
        Set(rows.values.compactMap(\.presence?.value).filter { $0.directoryID == id }.map(\.node))
    }

    private func known(_ key: Keys.WorkerKey) -> Int64 {
        let row = rows[key.ref]
        let present: Int64? =
            switch key {
            case .live: row?.presence?.modRevision
            case .bound: row?.binding?.modRevision
            }
        return present ?? deletions[key] ?? listedAt
    }

    private mutating func setFree(_ ref: WorkerRef, _ row: WorkerRow) {
        if row.isFree, let presence = row.presence {
            free.insert(ref, on: presence.value.node)
        } else {
            free.remove(ref)
        }
    }

    private mutating func update(_ ref: WorkerRef, _ change: (inout WorkerRow) -> Void) {
        var row = rows[ref] ?? WorkerRow()
        change(&row)
        rows[ref] = row.presence == nil && row.binding == nil ? nil : row
        if row.isLost {
            if lost.insert(ref).inserted, keepsLossNews { lossNews.append(.lost(ref)) }
        } else if lost.remove(ref) != nil, keepsLossNews {
            lossNews.append(.over(ref))
        }
        if row.isToBeVacated { toBeVacated.insert(ref) } else { toBeVacated.remove(ref) }
        setFree(ref, row)
    }
}
