package import SubstrateModel

/// The pools on whose workers an actor of the template may run: of the template's sandbox class, with the labels that the
/// template asks for and those that the actor asks for. Sorted.
package func eligiblePools(_ pools: [WorkerPool], template: ActorTemplate, actor: Actor) -> [PoolRef] {
    pools.filter { pool in
        pool.sandboxClass == template.sandboxClass && template.workerSelector.matches(pool.labels)
            && actor.workerSelector.matches(pool.labels)
    }
    .map(\.ref)
    .sorted()
}
