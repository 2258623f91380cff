package import Metrics

/// What can be looked up when somebody asks.
extension NodeAgent {
    static let workerCount = Definition.gauge("ate_node_workers", "Workers that this node is to offer")
    static let offeredCount = Definition.gauge("ate_node_workers_offered", "Workers that are registered now")
    static let actorCount = Definition.gauge("ate_node_actors", "Actors that run on this node")
    static let leaseMargin = Definition.gauge(
        "ate_node_lease_margin_seconds",
        "How long the node's lease can be relied on without being renewed; below 0 while actors are frozen, or without a lease"
    )
    static let hungLoops = Definition.gauge(
        "ate_node_hung_loops", "Parts of the agent that take no notice of what is asked of them")

    /// Has the registry look these up in this agent.
    package func addReadings(to registry: MetricRegistry) {
        registry.reading(Self.workerCount) { [options] in Double(options.workerCount) }
        registry.reading(Self.offeredCount) { [slots] in Double(slots.all.count) }
        registry.reading(Self.actorCount) { [slots] in Double(slots.all.count { $0.actor != nil }) }
        registry.reading(Self.leaseMargin) { [self] in leaseClock?.margin?.seconds ?? -1 }
        registry.reading(Self.hungLoops) { [health] in Double(health.hung.count) }
    }
}
