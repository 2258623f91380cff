internal import Etcd
package import Metrics
internal import SubstrateModel
internal import SubstrateStore

/// What can be looked up when somebody asks.
extension ControlPlane {
    static let workerCounts = Definition.gauge("ate_workers", "Workers, by what they are for now", by: ["state"])
    static let lossAge = Definition.gauge(
        "ate_lost_worker_age_seconds", "For how long the worker has been lost that has waited longest for its release")
    static let actorCounts = Definition.gauge(
        "ate_actors", "Actors, by status; told by the leader alone, who has a watch on them", by: ["status"])
    static let stranded = Definition.gauge(
        "ate_stranded_actors",
        "Actors on their way to another state that no workflow has in hand; told by the leader alone")
    static let queue = Definition.gauge("ate_capacity_queue_length", "Resumes that wait for a worker")
    static let workflowsUnderWay = Definition.gauge("ate_workflows_under_way", "Workflows that this replica runs now")
    static let operationsUnderWay = Definition.gauge(
        "ate_operations_under_way", "Operations of all replicas, as the last sweep has found them")
    static let leader = Definition.gauge("ate_leader", "1 for the replica that leads, otherwise 0")
    static let sessionMargin = Definition.gauge(
        "ate_session_margin_seconds",
        "How long this replica's session in etcd can be relied on without being renewed; below 0 while it has none")
    static let newsAge = Definition.gauge(
        "ate_watch_news_age_seconds",
        "How long ago this replica last heard of the workers, by its watch or by a listing")
    static let newsRevision = Definition.gauge(
        "ate_watch_revision", "Newest revision of etcd at which this replica knows the workers")

    /// Has the registry look these up in this control plane.
    package func addReadings(to registry: MetricRegistry) {
        registry.readings(Self.workerCounts) { [inventory] in
            let counts = WorkerCounts(inventory.rows)
            return counts.all.map { Reading(Double($0.count), $0.state.rawValue) }
        }
        registry.reading(Self.lossAge) { [inventory] in
            inventory.losses.open.values.map { $0.since.elapsed().seconds }.max() ?? 0
        }
        registry.readings(Self.actorCounts) { [lifecycle] in
            guard let census = lifecycle.census else { return [] }
            return ActorStatus.allCases.map { Reading(Double(census.counts[$0] ?? 0), $0.label) }
        }
        registry.reading(Self.stranded) { [lifecycle] in lifecycle.census.map { Double($0.stranded) } }
        registry.reading(Self.queue) { [inventory] in Double(inventory.waitingForWorkers) }
        registry.reading(Self.workflowsUnderWay) { [underWay] in Double(underWay.count) }
        registry.reading(Self.operationsUnderWay) { [operations] in
            operations.latest.map { Double($0.operations.count) }
        }
        registry.reading(Self.leader) { [replica] in replica.isLeading ? 1 : 0 }
        registry.reading(Self.sessionMargin) { [replica] in replica.sessionMargin?.seconds ?? -1 }
        registry.reading(Self.newsAge) { [inventory] in inventory.news?.age.seconds }
        registry.reading(Self.newsRevision) { [inventory] in inventory.news.map { Double($0.revision) } }
    }
}

extension ActorStatus {
    /// As the value of a label, and on a page.
    package var label: String { String(rawValue.dropFirst("STATUS_".count)).lowercased() }
}
