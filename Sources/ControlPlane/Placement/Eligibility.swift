package import SubstrateModel

/// The pools on whose workers an actor of the template may run: of the template's sandbox class, the one that the template
/// names if it does, with labels that satisfy the template and the actor. So an actor can only narrow what the template
/// allows. Sorted.
package func eligiblePools(_ pools: [WorkerPool], template: ActorTemplate, actor: Actor) -> [PoolRef] {
    pools.filter { pool in
        pool.sandboxClass == template.sandboxClass && (template.workerPool ?? pool.ref) == pool.ref
            && template.workerSelector.matches(pool.labels)
            && actor.workerSelector.matches(pool.labels)
    }
    .map(\.ref)
    .sorted()
}
