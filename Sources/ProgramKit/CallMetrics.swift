package import GRPC
package import Metrics

/// The calls that a server answers, under the names that servers of gRPC commonly have for them.
package struct CallMetrics: Sendable {
    static let handled = Definition.counter(
        "grpc_server_handled_total", "Calls that were answered, by method and code",
        by: ["grpc_service", "grpc_method", "grpc_code"])
    static let handling = Definition.histogram(
        "grpc_server_handling_seconds", "How long calls took to answer; streams until they ended",
        by: ["grpc_service", "grpc_method"], buckets: Buckets.work)

    private let handled: Counter
    private let handling: Histogram
    private let names: [Method: (service: String, method: String)]

    /// - Parameter methods: those that are served; others are counted together, since clients can name any.
    package init(_ registry: MetricRegistry, methods: [ServerMethod]) {
        handled = registry.counter(Self.handled)
        handling = registry.histogram(Self.handling)
        names = Dictionary(
            methods.map(\.method).map { ($0, ($0.service, String($0.path.dropFirst($0.service.utf8.count + 2)))) },
            uniquingKeysWith: { first, _ in first })
    }

    package func note(_ call: CompletedCall) {
        let name = names[call.method] ?? ("unknown", "unknown")
        handled.add(1, name.service, name.method, call.status.code.name)
        handling.observe(call.duration, name.service, name.method)
    }
}
