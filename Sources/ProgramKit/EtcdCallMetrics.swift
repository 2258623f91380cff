package import Etcd
package import Metrics

/// What a client of etcd does, in numbers.
package struct EtcdCallMetrics: Sendable {
    static let calls = Definition.histogram(
        "ate_etcd_call_duration_seconds",
        "Attempts at calls to etcd, by method and by how they ended: ok, or the kind of the error",
        by: ["method", "outcome"], buckets: Buckets.calls)
    static let retries = Definition.counter(
        "ate_etcd_retries_total", "Calls to etcd that were tried again", by: ["method"])
    static let streams = Definition.counter(
        "ate_etcd_streams_opened_total", "Streams to etcd that were opened, at first or after a break", by: ["method"])
    static let resumed = Definition.counter(
        "ate_etcd_watches_resumed_total", "Watches that were set up again after a break")
    static let moves = Definition.counter(
        "ate_etcd_member_changes_total", "How often the client turned from one member of etcd to another")

    private let calls: Histogram
    private let retries: Counter
    private let streams: Counter
    private let resumed: Counter
    private let moves: Counter

    package init(_ registry: MetricRegistry) {
        calls = registry.histogram(Self.calls)
        retries = registry.counter(Self.retries)
        streams = registry.counter(Self.streams)
        resumed = registry.counter(Self.resumed)
        moves = registry.counter(Self.moves)
    }

    /// For `EtcdHooks.measure`.
    package func note(_ measurement: EtcdMeasurement) {
        switch measurement {
        case .attempt(let method, _, let duration, let failure):
            calls.observe(duration, method, failure.map { "\($0)" } ?? "ok")
        case .retry(let method): retries.add(1, method)
        case .streamOpened(let method, _): streams.add(1, method)
        case .watchesResumed(let count): resumed.add(Double(count))
        case .movedOn: moves.add()
        }
    }
}
