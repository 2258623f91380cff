internal import ServiceKit
internal import SubstrateModel

/// The free workers by pool. Adding, removing and drawing one take the same time however many there are.
struct FreeWorkers {
    private var pools: [PoolRef: [WorkerRef]] = [:]
    /// Where each worker stands in its pool's list.
    private var positions: [WorkerRef: Int] = [:]

    mutating func insert(_ ref: WorkerRef) {
        guard positions[ref] == nil else { return }
        positions[ref] = pools[ref.pool, default: []].count
        pools[ref.pool, default: []].append(ref)
    }

    mutating func remove(_ ref: WorkerRef) {
        guard let position = positions.removeValue(forKey: ref), var list = pools.removeValue(forKey: ref.pool) else {
            return
        }
        // The last one takes the place, so that nothing has to move up.
        let last = list.removeLast()
        if last != ref {
            list[position] = last
            positions[last] = position
        }
        if !list.isEmpty { pools[ref.pool] = list }
    }

    /// Removes and returns any worker of the pools, each with the same probability.
    mutating func take(from names: [PoolRef], _ chance: Chance) -> WorkerRef? {
        let total = names.reduce(0) { $0 + count(in: $1) }
        guard total > 0 else { return nil }
        var position = chance.number(in: 0..<total)
        for name in names {
            let count = count(in: name)
            if position < count, let ref = pools[name]?[position] {
                remove(ref)
                return ref
            }
            position -= count
        }
        return nil
    }

    func workers(in pool: PoolRef) -> [WorkerRef] { pools[pool] ?? [] }

    func count(in pool: PoolRef) -> Int { pools[pool]?.count ?? 0 }
}
