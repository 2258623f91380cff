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

    /// For whom requests are taken.
    enum Side: String {
        case clients
        /// The routers of other machines, which have taken them for clients.
        case peers

        /// Where Envoy takes requests of this side from itself.
        func socket(in directory: String) -> String { "\(directory)/envoy-\(rawValue).sock" }

        /// Envoy itself, behind that socket.
        var again: String { "again_\(rawValue)" }
        /// The actor and, when it takes no connection, Envoy itself.
        var actor: String { "actor_then_\(again)" }
    }

    /// The clusters for the routers of other machines.
    private static let (router, routerThenAgain) = ("router", "router_then_again")

    /// Envoy wants a file for each.
    static func file(of secret: String, in directory: String) -> String { "\(directory)/envoy-tls-\(secret).json" }

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

    /// The certificates by their names, each as Envoy takes it from a file.
    static func secrets(_ settings: ProxySettings, read: (String) throws -> String) throws -> [String: JSON] {
        func inline(_ path: String) throws -> JSON { .object([("inline_string", .string(try read(path)))]) }
        func certificate(_ chain: String, _ key: String) throws -> (String, JSON) {
            let fields = [("certificate_chain", try inline(chain)), ("private_key", try inline(key))]
            return ("tls_certificate", .object(fields))
        }
        func authorities(_ path: String, _ names: [JSON] = []) throws -> (String, JSON) {
            let fields = [("trusted_ca", try inline(path)), ("match_typed_subject_alt_names", .array(names))]
            return ("validation_context", .object(fields))
        }
        var secrets: [String: (String, JSON)] = [:]
        if let tls = settings.tls {
            secrets["certificate"] = try certificate(tls.certificate, tls.privateKey)
            secrets["clients"] = try tls.clientAuthorities.map { try authorities($0) }
        }
        if let tls = settings.peers?.tls {
            let name = JSON.object([
                ("san_type", "DNS"), ("matcher", .object([("exact", .string(tls.serverName))])),
            ])
            secrets["router"] = try certificate(tls.certificate, tls.privateKey)
            secrets["peers"] = try authorities(tls.authorities)
            secrets["routers"] = try authorities(tls.authorities, [name])
        }
        return Dictionary(
            uniqueKeysWithValues: secrets.map { name, secret in
                let resource = typed(
                    "extensions.transport_sockets.tls.v3.Secret", [("name", .string(name)), secret])
                return (name, .object([("resources", [resource])]))
            })
    }

    // MARK: Listeners

    private var sides: [Side] { settings.peers?.listen == nil ? [.clients] : [.clients, .peers] }

    private var listeners: [JSON] {
        let again = sides.map { side in listener(side.again, itself(side), for: side, isAgain: true) }
        let plain = settings.listen.map { listener("plain", Self.address($0), for: .clients) }
        let tls = settings.tls.map { tls in
            listener(
                "tls", Self.address(tls.listen), for: .clients,
                transport: serving("certificate", verifying: tls.clientAuthorities == nil ? nil : "clients"))
        }
        let peers = settings.peers.flatMap { peers in
            peers.listen.map { address in
                listener(
                    "peers", Self.address(address), for: .peers,
                    transport: peers.tls == nil ? nil : serving("router", verifying: "peers"))
            }
        }
        return again + [plain, tls, peers].compactMap(\.self)
    }

    private func listener(
        _ name: String, _ address: JSON, for side: Side, transport: JSON? = nil, isAgain: Bool = false
    ) -> JSON {
        var chain: [(String, JSON)] = [
            (
                "filters",
                [
                    .object([
                        ("name", "envoy.filters.network.http_connection_manager"),
                        ("typed_config", connectionManager(name, side, isAgain: isAgain)),
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

    private func connectionManager(_ name: String, _ side: Side, isAgain: Bool) -> JSON {
        var fields: [(String, JSON)] = [
            ("stat_prefix", .string(name)), ("codec_type", "HTTP1"),
            ("upgrade_configs", [.object([("upgrade_type", "websocket")])]),
            // As long as nginx waits. Bodies and answers may take any time.
            ("request_headers_timeout", "60s"),
            ("common_http_protocol_options", .object([("idle_timeout", "75s")])),
            ("stream_idle_timeout", "0s"), ("request_timeout", "0s"),
            // Routers have said already whom they have it from.
            ("use_remote_address", .boolean(side == .clients && !isAgain)),
            ("skip_xff_append", .boolean(side == .peers || isAgain)),
            ("generate_request_id", false), ("server_header_transformation", "PASS_THROUGH"),
            (
                "http_filters",
                [
                    authorization(side),
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
            ("route_config", routes(side)),
        ]
        // What says that a router has sent it is for the endpoint, but for what this one has added for the first try.
        let others = ResolveEndpoint.internalHeaders.filter { $0 != ResolveEndpoint.forwardedHeader }
        let removed = isAgain ? [ResolveEndpoint.forwardedHeader] : others
        fields.append(("early_header_mutation_extensions", [Self.removal(of: removed)]))
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
    private static func removal(of headers: [String]) -> JSON {
        let mutations = headers.map { JSON.object([("remove", .string($0))]) }
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

    private func authorization(_ side: Side) -> JSON {
        func exactly(_ names: [String]) -> JSON {
            .object([("patterns", .array(names.map { .object([("exact", .string($0))]) }))])
        }
        let own = [ResolveEndpoint.destinationHeader, ResolveEndpoint.roundHeader]
        let answer = [ResolveEndpoint.routerHeader, ResolveEndpoint.statusHeader, ResolveEndpoint.messageHeader]
        let peer = JSON.object([("key", .string(ResolveEndpoint.peerHeader)), ("value", "1")])
        let request = JSON.object([("headers_to_add", .array(side == .peers ? [peer] : []))])
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
                                own + [
                                    RequestTarget.header, ResolveEndpoint.forwardedHeader, TraceContext.parentHeader,
                                    TraceContext.stateHeader,
                                ])
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
                                ("authorization_request", request),
                                (
                                    "authorization_response",
                                    .object([("allowed_upstream_headers", exactly(own + answer))])
                                ),
                            ])
                        ),
                    ])
            ),
        ])
    }

    private func routes(_ side: Side) -> JSON {
        let refusals = ResolveEndpoint.envoyRefusals.map(refusal)
        let others = side == .clients && settings.peers != nil ? [passingToRouter] : []
        return .object([
            (
                "virtual_hosts",
                [
                    .object([
                        ("name", "actors"), ("domains", ["*"]),
                        ("request_body_buffer_limit", .integer(Int64(Self.keptBody))),
                        ("routes", .array(refusals + others + [passing(to: side.actor)])),
                    ])
                ]
            )
        ])
    }

    private static func match(_ header: String, _ value: String) -> JSON {
        .object([
            ("prefix", "/"),
            (
                "headers",
                [
                    .object([
                        ("name", .string(header)), ("string_match", .object([("exact", .string(value))])),
                    ])
                ]
            ),
        ])
    }

    /// What the endpoint refuses with a status that Envoy would take for its failure.
    private func refusal(_ status: Int) -> JSON {
        var fields = [("match", Self.match(ResolveEndpoint.statusHeader, "\(status)"))]
        guard status == Resolution.elsewhereStatus else {
            return .object(fields + [("direct_response", .object([("status", .integer(Int64(status)))]))])
        }
        let (header, value) = Resolution.elsewhereHeader
        fields += [
            ("direct_response", .object([("status", 503)])),
            (
                "response_headers_to_add",
                [
                    .object([
                        ("header", .object([("key", .string(header)), ("value", .string(value))]))
                    ])
                ]
            ),
        ]
        return .object(fields)
    }

    private func passing(to cluster: String) -> JSON {
        passing(.object([("prefix", "/")]), to: cluster, [("retry_on", "connect-failure")])
    }

    /// To the router of another machine, which may answer that the actor is elsewhere.
    private var passingToRouter: JSON {
        let elsewhere = JSON.object([("name", .string(Resolution.elsewhereHeader.name)), ("present_match", true)])
        return passing(
            Self.match(ResolveEndpoint.routerHeader, "1"), to: Self.routerThenAgain, toRouter: true,
            [("retry_on", "connect-failure,retriable-headers"), ("retriable_headers", [elsewhere])])
    }

    private static var forwarded: JSON {
        .object([
            ("header", .object([("key", .string(ResolveEndpoint.forwardedHeader)), ("value", "1")])),
            ("append_action", "OVERWRITE_IF_EXISTS_OR_ADD"),
        ])
    }

    private func passing(
        _ match: JSON, to cluster: String, toRouter: Bool = false, _ retries: [(String, JSON)]
    ) -> JSON {
        let policy = JSON.object(
            retries + [
                ("num_retries", 1),
                ("retry_back_off", .object([("base_interval", "0.001s"), ("max_interval", "0.001s")])),
            ])
        return .object([
            ("match", match),
            (
                "request_headers_to_remove",
                .array(toRouter ? [] : [.string(ResolveEndpoint.forwardedHeader)])
            ),
            ("request_headers_to_add", .array(toRouter ? [Self.forwarded] : [])),
            // What it says is for routers, and not an actor's to say.
            ("response_headers_to_remove", [.string(Resolution.elsewhereHeader.name)]),
            (
                "route",
                .object([
                    ("cluster", .string(cluster)), ("timeout", "0s"), ("idle_timeout", "3600s"),
                    ("retry_policy", policy),
                ])
            ),
        ])
    }

    private func serving(_ certificate: String, verifying authorities: String?) -> JSON {
        transport(
            "DownstreamTlsContext", certificate, authorities,
            [("require_client_certificate", .boolean(authorities != nil))])
    }

    private func transport(
        _ context: String, _ certificate: String, _ authorities: String?, _ fields: [(String, JSON)]
    ) -> JSON {
        func secret(_ name: String) -> JSON {
            let file = JSON.string(Self.file(of: name, in: settings.directory))
            let source = JSON.object([
                ("path_config_source", .object([("path", file)])), ("resource_api_version", "V3"),
            ])
            return .object([("name", .string(name)), ("sds_config", source)])
        }
        var common: [(String, JSON)] = [
            ("alpn_protocols", ["http/1.1"]),
            ("tls_params", .object([("tls_minimum_protocol_version", "TLSv1_2")])),
            ("tls_certificate_sds_secret_configs", [secret(certificate)]),
        ]
        if let authorities { common.append(("validation_context_sds_secret_config", secret(authorities))) }
        return .object([
            ("name", "envoy.transport_sockets.tls"),
            (
                "typed_config",
                typed(
                    "extensions.transport_sockets.tls.v3.\(context)",
                    [("common_tls_context", .object(common))] + fields)
            ),
        ])
    }

    // MARK: Clusters

    private var clusters: [JSON] {
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

    private func itself(_ side: Side) -> JSON {
        .object([("pipe", .object([("path", .string(side.socket(in: settings.directory))), ("mode", 0o600)]))])
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
