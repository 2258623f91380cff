package import Metrics
internal import ServiceKit
package import SubstrateModel

/// What a node's agent counts as it goes. What can be looked up instead is in `NodeAgent+Readings`.
package struct NodeMetrics: Sendable {
    static let starts = Definition.histogram(
        "ate_node_start_duration_seconds",
        "Starts of actors, by what they start from (nothing, an external or a local snapshot) and how they ended",
        by: ["source", "outcome"], buckets: Buckets.work)
    static let checkpoints = Definition.histogram(
        "ate_node_checkpoint_duration_seconds", "Checkpoints of actors, by kind of the snapshot and how they ended",
        by: ["kind", "outcome"], buckets: Buckets.work)
    static let snapshotSizes = Definition.histogram(
        "ate_node_snapshot_bytes", "Sizes of the snapshots that were written, by kind", by: ["kind"],
        buckets: Buckets.sizes)
    static let deaths = Definition.counter("ate_node_actor_deaths_total", "Actors that ended by themselves")
    static let registrations = Definition.counter(
        "ate_node_registrations_ended_total",
        "Registrations of workers that have ended, by why: the agent stops, anew, or unfit when nothing can be started",
        by: ["reason"])
    static let lapses = Definition.counter(
        "ate_node_lease_lapses_total", "How often the node's lease was not renewed in time, so that actors were frozen")
    static let losses = Definition.counter(
        "ate_node_leases_lost_total", "How often the node's lease was gone, so that its actors were killed")

    let starts: Histogram
    let checkpoints: Histogram
    let snapshotSizes: Histogram
    let deaths: Counter
    let registrations: Counter
    let lapses: Counter
    let losses: Counter
    /// How large a complete snapshot is; nil where nobody can tell.
    let snapshotBytes: (@Sendable (SnapshotURI) async -> Int?)?

    package init(
        _ registry: MetricRegistry = MetricRegistry(), snapshotBytes: (@Sendable (SnapshotURI) async -> Int?)? = nil
    ) {
        self.snapshotBytes = snapshotBytes
        starts = registry.histogram(Self.starts)
        checkpoints = registry.histogram(Self.checkpoints)
        snapshotSizes = registry.histogram(Self.snapshotSizes)
        deaths = registry.counter(Self.deaths)
        registrations = registry.counter(Self.registrations)
        lapses = registry.counter(Self.lapses)
        losses = registry.counter(Self.losses)
    }
}

extension WorkerSlot {
    /// Notes how large a snapshot is, which nobody has to wait for.
    func measure(_ snapshot: SnapshotURI, _ kind: String) {
        guard let bytes = metrics.snapshotBytes else { return }
        tasks.submit { [metrics] in
            if let size = await bytes(snapshot) { metrics.snapshotSizes.observe(Double(size), kind) }
        }
    }
}

extension Snapshot {
    /// As the value of a label.
    var kind: String {
        switch self {
        case .external: "external"
        case .local: "local"
        }
    }
}

extension WorkerSlot.End {
    /// As the value of a label.
    var label: String {
        switch self {
        case .cancelled: "stopped"
        case .anew: "anew"
        case .unfit: "unfit"
        }
    }
}
