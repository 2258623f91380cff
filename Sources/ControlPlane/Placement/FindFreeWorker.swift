package import ServiceKit
package import SubstrateModel
package import SubstrateStore

extension WorkerInventory {
    /// Any free worker of an eligible pool, at random, reserved for the caller.
    ///
    /// The reservation keeps other resumes of this replica away; whether the worker is really free, the claim's
    /// transaction decides. The caller gives it back with `unreserve` unless its claim succeeds.
    /// - Parameters:
    ///   - nodes: on which the worker has to be, because only these have the actor's snapshot; nil for any.
    ///   - avoided: taken only if there is no other.
    /// - Throws: `.noEligiblePool` or `.noFreeWorkers`.
    package func findFreeWorker(
        pools: [WorkerPool], template: ActorTemplate, actor: Actor, nodes: Set<String>? = nil,
        avoiding avoided: WorkerRef? = nil, _ chance: Chance
    ) throws(ControlError) -> (ref: WorkerRef, presence: Stored<Presence>) {
        let eligible = eligiblePools(pools, template: template, actor: actor)
        if eligible.isEmpty { throw .noEligiblePool }
        let demand = WorkerDemand(pools: eligible, nodes: nodes)
        guard let worker = reserve(demand, avoiding: avoided, chance) else { throw .noFreeWorkers(demand) }
        return worker
    }
}

/// Which workers would do for an actor.
package struct WorkerDemand: Sendable, Equatable {
    package var pools: [PoolRef]
    /// Nil for any.
    package var nodes: Set<String>?

    package init(pools: [PoolRef], nodes: Set<String>? = nil) {
        self.pools = pools
        self.nodes = nodes
    }
}
