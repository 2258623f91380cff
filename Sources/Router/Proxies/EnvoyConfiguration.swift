internal import ServiceKit

/// What Envoy is told.
///
/// A request is passed on where the endpoint says (`ext_authz`). When the connection cannot be made, Envoy's retry takes the
/// second cluster, which is Envoy itself behind a socket of its own: there the endpoint is asked again, with the destination that has
/// failed in a header, until it gives up. What has come of the body is kept meanwhile; the client has to wait with the rest.
struct EnvoyConfiguration {
    let settings: ProxySettings

    init(_ settings: ProxySettings) { self.settings = settings }

    /// Of a connection, in bytes: beyond it Envoy reads no more before some has been sent on.
    private static let buffer = 1 << 20
    /// Of a request, in bytes: one of which more is there when its connection fails is not sent again. It passes through
    /// several buffers until then.
    private static let keptBody = 8 * buffer

    /// Where it takes requests from itself.
    static func socket(in directory: String) -> String { "\(directory)/envoy-again.sock" }

    static func secretsFile(in directory: String) -> String { "\(directory)/envoy-tls.json" }

    var bootstrap: JSON {
        .object([
            ("node", .object([("id", "atenet"), ("cluster", "atenet")])),
            ("static_resources", .object([("listeners", .array(listeners)), ("clusters", .array(clusters))])),
            (
                "overload_manager",
                .object([
                    (
                        "resource_monitors",
                        [
                            .object([
                                ("name", "envoy.resource_monitors.global_downstream_max_connections"),
                                (
                                    "typed_config",
                                    typed(
                                        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                                        [("max_active_downstream_connections", .integer(Int64(settings.connections)))]
                                    )
                                ),
                            ])
                        ]
                    )
                ])
            ),
        ])
    }

    /// The certificates, as Envoy takes them from a file.
    static func secrets(_ tls: ProxyTLS, read: (String) throws -> String) throws -> JSON {
        func inline(_ path: String) throws -> JSON { .object([("inline_string", .string(try read(path)))]) }
        var resources = [
            typed(
                "extensions.transport_sockets.tls.v3.Secret",
                [
                    ("name", "certificate"),
                    (
                        "tls_certificate",
                        .object([
                            ("certificate_chain", try inline(tls.certificate)),
                            ("private_key", try inline(tls.privateKey)),
                        ])
                    ),
                ])
        ]
        if let authorities = tls.clientAuthorities {
            resources.append(
                typed(
                    "extensions.transport_sockets.tls.v3.Secret",
                    [
                        ("name", "clients"),
                        ("validation_context", .object([("trusted_ca", try inline(authorities))])),
                    ]))
        }
        return .object([("resources", .array(resources))])
    }

    // MARK: Listeners

    private var listeners: [JSON] {
        let again = listener("again", itself, takesInternalHeaders: true)
        let plain = settings.listen.map { listener("plain", Self.address($0)) }
        let tls = settings.tls.map { listener("tls", Self.address($0.listen), transport: transport($0)) }
        return [again] + [plain, tls].compactMap(\.self)
    }

    private func listener(
        _ name: String, _ address: JSON, transport: JSON? = nil, takesInternalHeaders: Bool = false
    ) -> JSON {
        var chain: [(String, JSON)] = [
            (
                "filters",
                [
                    .object([
                        ("name", "envoy.filters.network.http_connection_manager"),
                        ("typed_config", connectionManager(name, takesInternalHeaders: takesInternalHeaders)),
                    ])
                ]
            )
        ]
        if let transport { chain.append(("transport_socket", transport)) }
        return .object([
            ("name", .string(name)), ("address", address),
            ("per_connection_buffer_limit_bytes", .integer(Int64(Self.buffer))),
            ("filter_chains", [.object(chain)]),
        ])
    }

    private func connectionManager(_ name: String, takesInternalHeaders: Bool) -> JSON {
        var fields: [(String, JSON)] = [
            ("stat_prefix", .string(name)), ("codec_type", "HTTP1"),
            ("upgrade_configs", [.object([("upgrade_type", "websocket")])]),
            // As long as nginx waits. Bodies and answers may take any time.
            ("request_headers_timeout", "60s"),
            ("common_http_protocol_options", .object([("idle_timeout", "75s")])),
            ("stream_idle_timeout", "0s"), ("request_timeout", "0s"),
            ("use_remote_address", .boolean(!takesInternalHeaders)),
            ("skip_xff_append", .boolean(takesInternalHeaders)),
            ("generate_request_id", false), ("server_header_transformation", "PASS_THROUGH"),
            (
                "http_filters",
                [
                    authorization,
                    .object([
                        ("name", "envoy.filters.http.router"),
                        (
                            "typed_config",
                            typed("extensions.filters.http.router.v3.Router", [("suppress_envoy_headers", true)])
                        ),
                    ]),
                ]
            ),
            ("local_reply_config", localReplies),
            ("route_config", routes),
        ]
        if !takesInternalHeaders { fields.append(("early_header_mutation_extensions", [Self.removal])) }
        return typed("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", fields)
    }

    /// The texts of refusals, and of failures that Envoy notices itself.
    private var localReplies: JSON {
        let refused = JSON.object([
            (
                "filter",
                .object([
                    (
                        "header_filter",
                        .object([
                            (
                                "header",
                                .object([("name", .string(ResolveEndpoint.messageHeader)), ("present_match", true)])
                            )
                        ])
                    )
                ])
            ),
            (
                "body_format_override",
                .object([
                    (
                        "text_format_source",
                        .object([("inline_string", .string("%REQ(\(ResolveEndpoint.messageHeader))%\n"))])
                    )
                ])
            ),
        ])
        let failed = JSON.object([
            (
                "filter",
                .object([("response_flag_filter", .object([("flags", ["UF", "UH", "UO", "URX", "UC"])]))])
            ),
            ("status_code", 503),
            ("body", .object([("inline_string", .string("\(Resolution.unreachableText)\n"))])),
        ])
        return .object([("mappers", [refused, failed])])
    }

    /// Clients cannot say what only the endpoint may.
    private static var removal: JSON {
        let mutations = ResolveEndpoint.internalHeaders.map { JSON.object([("remove", .string($0))]) }
        return .object([
            ("name", "envoy.http.early_header_mutation.header_mutation"),
            (
                "typed_config",
                typed(
                    "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                    [("mutations", .array(mutations))])
            ),
        ])
    }

    private var authorization: JSON {
        func exactly(_ names: [String]) -> JSON {
            .object([("patterns", .array(names.map { .object([("exact", .string($0))]) }))])
        }
        let own = [ResolveEndpoint.destinationHeader, ResolveEndpoint.roundHeader]
        let refusal = [ResolveEndpoint.statusHeader, ResolveEndpoint.messageHeader]
        return .object([
            ("name", "envoy.filters.http.ext_authz"),
            (
                "typed_config",
                typed(
                    "extensions.filters.http.ext_authz.v3.ExtAuthz",
                    [
                        // The answer's headers decide on the route.
                        ("clear_route_cache", true), ("failure_mode_allow", false),
                        ("status_on_error", .object([("code", "ServiceUnavailable")])),
                        (
                            "allowed_headers",
                            exactly(
                                own + [RequestTarget.header, TraceContext.parentHeader, TraceContext.stateHeader])
                        ),
                        (
                            "http_service",
                            .object([
                                (
                                    "server_uri",
                                    .object([
                                        ("uri", .string("http://\(settings.endpoint)")), ("cluster", "endpoint"),
                                        ("timeout", Self.seconds(settings.resolveTimeout)),
                                    ])
                                ),
                                ("path_prefix", .string(ResolveEndpoint.envoyPath)),
                                (
                                    "authorization_response",
                                    .object([("allowed_upstream_headers", exactly(own + refusal))])
                                ),
                            ])
                        ),
                    ])
            ),
        ])
    }

    private var routes: JSON {
        .object([
            (
                "virtual_hosts",
                [
                    .object([
                        ("name", "actors"), ("domains", ["*"]),
                        ("request_body_buffer_limit", .integer(Int64(Self.keptBody))),
                        ("routes", .array(ResolveEndpoint.envoyRefusals.map(refusal) + [passing])),
                    ])
                ]
            )
        ])
    }

    /// What the endpoint refuses with a status that Envoy would take for its failure.
    private func refusal(_ status: Int) -> JSON {
        .object([
            (
                "match",
                .object([
                    ("prefix", "/"),
                    (
                        "headers",
                        [
                            .object([
                                ("name", .string(ResolveEndpoint.statusHeader)),
                                ("string_match", .object([("exact", .string("\(status)"))])),
                            ])
                        ]
                    ),
                ])
            ),
            ("direct_response", .object([("status", .integer(Int64(status)))])),
        ])
    }

    private var passing: JSON {
        let retries = JSON.object([
            ("retry_on", "connect-failure"), ("num_retries", 1),
            ("retry_back_off", .object([("base_interval", "0.001s"), ("max_interval", "0.001s")])),
        ])
        return .object([
            ("match", .object([("prefix", "/")])),
            (
                "route",
                .object([
                    ("cluster", "actor_then_again"), ("timeout", "0s"), ("idle_timeout", "3600s"),
                    ("retry_policy", retries),
                ])
            ),
        ])
    }

    private func transport(_ tls: ProxyTLS) -> JSON {
        let file = JSON.object([
            ("path_config_source", .object([("path", .string(Self.secretsFile(in: settings.directory)))])),
            ("resource_api_version", "V3"),
        ])
        var common: [(String, JSON)] = [
            ("alpn_protocols", ["http/1.1"]),
            ("tls_params", .object([("tls_minimum_protocol_version", "TLSv1_2")])),
            ("tls_certificate_sds_secret_configs", [.object([("name", "certificate"), ("sds_config", file)])]),
        ]
        if tls.clientAuthorities != nil {
            common.append(
                ("validation_context_sds_secret_config", .object([("name", "clients"), ("sds_config", file)])))
        }
        return .object([
            ("name", "envoy.transport_sockets.tls"),
            (
                "typed_config",
                typed(
                    "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                    [
                        ("common_tls_context", .object(common)),
                        ("require_client_certificate", .boolean(tls.clientAuthorities != nil)),
                    ])
            ),
        ])
    }

    // MARK: Clusters

    private var clusters: [JSON] {
        [
            cluster(
                "endpoint", .kept, [("load_assignment", Self.endpoints("endpoint", Self.address(settings.endpoint)))]),
            cluster(
                "actor", .forOneRequest,
                [
                    ("type", "ORIGINAL_DST"), ("lb_policy", "CLUSTER_PROVIDED"),
                    (
                        "original_dst_lb_config",
                        .object([
                            ("use_http_header", true), ("http_header_name", .string(ResolveEndpoint.destinationHeader)),
                        ])
                    ),
                ]),
            cluster("again", .forOneRequest, [("load_assignment", Self.endpoints("again", itself))]),
            cluster(
                "actor_then_again", .others,
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
                                    [("clusters", [.object([("name", "actor")]), .object([("name", "again")])])])
                            ),
                        ])
                    ),
                ]),
        ]
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

    private var itself: JSON {
        .object([("pipe", .object([("path", .string(Self.socket(in: settings.directory))), ("mode", 0o600)]))])
    }

    private static func address(_ address: String) -> JSON {
        let colon = address.lastIndex(of: ":") ?? address.endIndex
        let port = Int64(address[colon...].dropFirst()) ?? 0
        return .object([
            (
                "socket_address",
                .object([("address", .string(String(address[..<colon]))), ("port_value", .integer(port))])
            )
        ])
    }

    private static func seconds(_ milliseconds: Int) -> JSON {
        .string("\(milliseconds / 1000).\(String(milliseconds % 1000 + 1000).dropFirst())s")
    }
}

/// A message of one of Envoy's extensions.
private func typed(_ name: String, _ fields: [(String, JSON)]) -> JSON {
    .object([("@type", .string("type.googleapis.com/envoy.\(name)"))] + fields)
}
