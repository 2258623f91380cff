internal import ServiceKit
internal import SubstrateModel

/// The free workers by pool, and by pool and node. Adding, removing and drawing one take the same time however many there
/// are.
struct FreeWorkers {
    private struct Place: Hashable {
        var pool: PoolRef
        var node: String
    }

    private var byPool = WorkerLists<PoolRef>()
    private var byPlace = WorkerLists<Place>()

    mutating func insert(_ ref: WorkerRef, on node: String) {
        byPool.insert(ref, in: ref.pool)
        byPlace.insert(ref, in: Place(pool: ref.pool, node: node))
    }

    mutating func remove(_ ref: WorkerRef) {
        byPool.remove(ref)
        byPlace.remove(ref)
    }

    /// Removes and returns any worker of the pools, each with the same probability.
    /// - Parameter nodes: on which it has to be; nil for any.
    mutating func take(from pools: [PoolRef], nodes: Set<String>?, _ chance: Chance) -> WorkerRef? {
        let drawn: WorkerRef?
        if let nodes {
            // In an order that chance alone decides on.
            let nodes = nodes.sorted()
            drawn = byPlace.draw(from: pools.flatMap { pool in nodes.map { Place(pool: pool, node: $0) } }, chance)
        } else {
            drawn = byPool.draw(from: pools, chance)
        }
        if let drawn { remove(drawn) }
        return drawn
    }

    func count(in pool: PoolRef) -> Int { byPool.count(in: pool) }
}

/// Workers in lists, each in one of them.
private struct WorkerLists<Group: Hashable & Sendable> {
    private var lists: [Group: [WorkerRef]] = [:]
    /// Where each worker stands.
    private var positions: [WorkerRef: (group: Group, index: Int)] = [:]

    /// Adds the worker, or moves it here from another list.
    mutating func insert(_ ref: WorkerRef, in group: Group) {
        if positions[ref]?.group == group { return }
        remove(ref)
        positions[ref] = (group, lists[group, default: []].count)
        lists[group, default: []].append(ref)
    }

    mutating func remove(_ ref: WorkerRef) {
        guard let (group, index) = positions.removeValue(forKey: ref), var list = lists.removeValue(forKey: group)
        else { return }
        // The last one takes the place, so that nothing has to move up.
        let last = list.removeLast()
        if last != ref {
            list[index] = last
            positions[last] = (group, index)
        }
        if !list.isEmpty { lists[group] = list }
    }

    /// Any worker of the groups, each with the same probability.
    func draw(from groups: [Group], _ chance: Chance) -> WorkerRef? {
        let total = groups.reduce(0) { $0 + count(in: $1) }
        guard total > 0 else { return nil }
        var position = chance.number(in: 0..<total)
        for group in groups {
            let list = lists[group] ?? []
            if position < list.count { return list[position] }
            position -= list.count
        }
        return nil
    }

    func count(in group: Group) -> Int { lists[group]?.count ?? 0 }
}
