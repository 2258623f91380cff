internal import ServiceKit

/// Where requests go: to the endpoint, to actors, to the routers of other machines, and to Envoy itself for another try.
extension EnvoyConfiguration {
    var clusters: [JSON] {
        [
            cluster(
                "endpoint", .kept, [("load_assignment", Self.endpoints("endpoint", Self.address(settings.endpoint)))]),
            cluster("actor", .forOneRequest, Self.whereToldTo),
        ] + sides.flatMap(clusters) + routerClusters
    }

    private func clusters(of side: Side) -> [JSON] {
        [
            cluster(side.again, .forOneRequest, [("load_assignment", Self.endpoints(side.again, itself(side)))]),
            composite(side.actor, ["actor", side.again]),
        ]
    }

    private var routerClusters: [JSON] {
        guard let peers = settings.peers else { return [] }
        var fields = Self.whereToldTo
        if let tls = peers.tls {
            let context = transport("UpstreamTlsContext", "router", "routers", [("sni", .string(tls.serverName))])
            fields.append(("transport_socket", context))
        }
        // A machine that dies says nothing.
        let keepalive = JSON.object([
            ("keepalive_time", 30), ("keepalive_interval", 10), ("keepalive_probes", 3),
        ])
        fields.append(("upstream_connection_options", .object([("tcp_keepalive", keepalive)])))
        return [
            cluster(Self.router, .forOneRequest, fields),
            composite(Self.routerThenAgain, [Self.router, Side.clients.again]),
        ]
    }

    /// To the place that the endpoint has named.
    private static var whereToldTo: [(String, JSON)] {
        [
            ("type", "ORIGINAL_DST"), ("lb_policy", "CLUSTER_PROVIDED"),
            (
                "original_dst_lb_config",
                .object([
                    ("use_http_header", true), ("http_header_name", .string(ResolveEndpoint.destinationHeader)),
                ])
            ),
        ]
    }

    /// The first takes the request, and the second the retry.
    private func composite(_ name: String, _ clusters: [String]) -> JSON {
        cluster(
            name, .others,
            [
                ("lb_policy", "CLUSTER_PROVIDED"),
                (
                    "cluster_type",
                    .object([
                        ("name", "envoy.clusters.composite"),
                        (
                            "typed_config",
                            typed(
                                "extensions.clusters.composite.v3.ClusterConfig",
                                [("clusters", .array(clusters.map { .object([("name", .string($0))]) }))])
                        ),
                    ])
                ),
            ])
    }

    private enum Connections {
        /// They serve many requests.
        case kept
        /// Each serves one: an actor that somebody is connected to does not count as idle.
        case forOneRequest
        /// They are those of other clusters.
        case others
    }

    private func cluster(_ name: String, _ connections: Connections, _ fields: [(String, JSON)]) -> JSON {
        let most = JSON.integer(Int64(settings.connections))
        var all: [(String, JSON)] = [
            ("name", .string(name)), ("connect_timeout", "2s"),
            (
                "circuit_breakers",
                .object([
                    (
                        "thresholds",
                        [
                            .object([
                                ("max_connections", most), ("max_pending_requests", most), ("max_requests", most),
                                ("max_retries", most),
                            ])
                        ]
                    )
                ])
            ),
            ("per_connection_buffer_limit_bytes", .integer(Int64(Self.buffer))),
        ]
        if connections != .others {
            var options: [(String, JSON)] = [
                ("explicit_http_config", .object([("http_protocol_options", .object([]))]))
            ]
            // The endpoint closes a connection that has been idle for a little longer.
            let limits: (String, JSON) =
                connections == .kept ? ("idle_timeout", "60s") : ("max_requests_per_connection", 1)
            options.append(("common_http_protocol_options", .object([limits])))
            all.append(
                (
                    "typed_extension_protocol_options",
                    .object([
                        (
                            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                            typed("extensions.upstreams.http.v3.HttpProtocolOptions", options)
                        )
                    ])
                ))
        }
        return .object(all + fields)
    }

    private static func endpoints(_ cluster: String, _ address: JSON) -> JSON {
        let endpoint = JSON.object([("endpoint", .object([("address", address)]))])
        return .object([
            ("cluster_name", .string(cluster)), ("endpoints", [.object([("lb_endpoints", [endpoint])])]),
        ])
    }
}
