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
    static let buffer = 1 << 20
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
    static let (router, routerThenAgain) = ("router", "router_then_again")

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

    // MARK: Listeners

    var sides: [Side] { settings.peers?.listen == nil ? [.clients] : [.clients, .peers] }

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

    func listener(
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

    func itself(_ side: Side) -> JSON {
        .object([("pipe", .object([("path", .string(side.socket(in: settings.directory))), ("mode", 0o600)]))])
    }

    static func address(_ address: String) -> JSON {
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
func typed(_ name: String, _ fields: [(String, JSON)]) -> JSON {
    .object([("@type", .string("type.googleapis.com/envoy.\(name)"))] + fields)
}
