package import ServiceKit
package import SubstrateModel
package import SubstrateStore

extension WorkerInventory {
    /// Any free worker of an eligible pool, at random, reserved for the caller.
    ///
    /// The reservation keeps other resumes of this replica away; whether the worker is really free, the claim's
    /// transaction decides. The caller gives it back with `unreserve` unless its claim succeeds.
    /// - Parameter nodes: only workers of these will do; nil for any.
    /// - Throws: `.noEligiblePool` or `.noFreeWorkers`.
    package func findFreeWorker(
        pools: [WorkerPool], template: ActorTemplate, actor: Actor, nodes: Set<String>? = nil, _ chance: Chance
    ) throws(ControlError) -> (ref: WorkerRef, presence: Stored<Presence>) {
        let eligible = eligiblePools(pools, template: template, actor: actor)
        if eligible.isEmpty { throw .noEligiblePool }
        guard let worker = reserve(in: eligible, nodes: nodes, chance) else { throw .noFreeWorkers }
        return worker
    }
}
