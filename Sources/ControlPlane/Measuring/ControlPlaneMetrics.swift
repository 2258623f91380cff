package import Metrics

/// What the control plane counts as it goes. What can be looked up instead is in `ControlPlane+Readings`.
package struct ControlPlaneMetrics: Sendable {
    static let releases = Definition.counter(
        "ate_releases_total",
        "Lost workers that this replica has dealt with, by why they were lost and by what was committed",
        by: ["cause", "result"])
    static let releaseDuration = Definition.histogram(
        "ate_release_duration_seconds",
        "From when this replica saw that a worker was lost until it had committed the release", buckets: Buckets.calls)
    static let releaseFailures = Definition.counter(
        "ate_release_failures_total", "Attempts at releases that etcd did not carry out; each is tried again")
    static let conflicts = Definition.counter(
        "ate_conflicts_total", "Transactions in which somebody else had changed something first")
    static let workflows = Definition.histogram(
        "ate_workflow_duration_seconds", "Workflows of this replica, by kind and by how they ended",
        by: ["kind", "outcome"], buckets: Buckets.work)
    static let revocations = Definition.counter(
        "ate_bindings_revoked_total", "Workers that were given up because their node gave no final answer")
    static let missedChanges = Definition.counter(
        "ate_watch_missed_changes_total", "Workers of which a listing told what the watch had not told before it")
    static let sessions = Definition.counter(
        "ate_sessions_total", "Sessions in etcd that this replica has had; each but the first follows the loss of one")
    static let elections = Definition.counter("ate_elections_won_total", "How often this replica has begun to lead")
    static let collected = Definition.counter(
        "ate_snapshots_collected_total", "Snapshots that no actor names any more, by what became of them",
        by: ["result"])

    let releases: Counter
    let releaseDuration: Histogram
    let releaseFailures: Counter
    let conflicts: Counter
    let workflows: Histogram
    let revocations: Counter
    let missedChanges: Counter
    let sessions: Counter
    let elections: Counter
    let collected: Counter

    package init(_ registry: MetricRegistry = MetricRegistry()) {
        releases = registry.counter(Self.releases)
        releaseDuration = registry.histogram(Self.releaseDuration)
        releaseFailures = registry.counter(Self.releaseFailures)
        conflicts = registry.counter(Self.conflicts)
        workflows = registry.histogram(Self.workflows)
        revocations = registry.counter(Self.revocations)
        missedChanges = registry.counter(Self.missedChanges)
        sessions = registry.counter(Self.sessions)
        elections = registry.counter(Self.elections)
        collected = registry.counter(Self.collected)
    }
}
