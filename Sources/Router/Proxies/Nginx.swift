internal import Foundation
internal import Glibc
internal import Processes
package import ServiceKit

/// nginx in front of the actors. With its Lua module it has a copy of the table of actors, and asks only about those that are not
/// in there.
package struct Nginx: Proxy {
    package var settings: ProxySettings
    private let copy: (table: TableCopy, modules: String)?

    /// - Parameters:
    ///   - table: for nginx's copy; nil when it is to ask about each request.
    ///   - modules: the directory of nginx's modules. Without Lua's there is no copy either.
    package init(_ settings: ProxySettings, copying table: TableCopy? = nil, modules: String = Nginx.modules) {
        self.settings = settings
        let isThere = NginxTable.modules.allSatisfy { FileManager.default.fileExists(atPath: "\(modules)/\($0)") }
        copy = isThere ? table.map { ($0, modules) } : nil
    }

    /// Where Debian has them.
    package static let modules = "/usr/lib/nginx/modules"

    /// Whether it looks up actors itself.
    package var hasCopy: Bool { copy != nil }

    /// Of the path of a socket, in bytes.
    private static let maximumPath = 107

    /// For the program that looks up actors, and the socket where it is told of them; its owner's alone.
    private var tableDirectory: String { "\(settings.directory)/table" }
    private var tableSocket: String { "\(tableDirectory)/nginx.sock" }

    /// The list of other machines' routers, when there are any to be had and their addresses are known here.
    private var routers: NginxRouters? {
        copy == nil || settings.peers == nil ? nil : NginxRouters(file: "\(tableDirectory)/routers.conf")
    }

    private func prepareTable() throws {
        guard tableSocket.utf8.count <= Self.maximumPath else {
            throw ProxyError(
                "\(settings.directory) is too long a path for nginx's socket in it: give another state directory")
        }
        let files = FileManager.default
        try files.createDirectory(atPath: tableDirectory, withIntermediateDirectories: true)
        try files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: tableDirectory)
        // One that was killed has left it, and nginx would find the address in use.
        unlink(tableSocket)
        let program = "\(tableDirectory)/ate_table.lua"
        try Data(NginxTable.program.utf8).write(to: URL(fileURLWithPath: program), options: .atomic)
        try routers?.prepare()
    }

    package func run(_ environment: Environment) async throws {
        let directory = settings.directory
        for path in [directory] + settings.files {
            guard path.unicodeScalars.allSatisfy({ !#""\$"#.unicodeScalars.contains($0) && $0.value >= 0x20 }) else {
                throw ProxyError("\(path): nginx's configuration cannot name it")
            }
        }
        try FileManager.default.createDirectory(atPath: "\(directory)/tmp", withIntermediateDirectories: true)
        if copy != nil { try prepareTable() }
        let file = "\(directory)/nginx.conf"
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
        let process = ProxyProcess(
            name: "nginx", program: settings.program, arguments: ["-p", directory, "-c", file, "-e", "stderr"],
            files: settings.files + (routers.map { [$0.file] } ?? [])
        ) { $0.signal(SIGHUP) }
        guard let copy else { return try await process.run(environment) }
        try await withThrowingTaskGroup { group in
            group.addTask { try await process.run(environment) }
            group.addTask { await copy.table.run(tableSocket, environment) }
            if let routers { group.addTask { await routers.run(copy.table.known, environment) } }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// The codes with which a request can be refused; `return` takes no variable for its code.
    private static let refusals = [400, 401, 403, 404, 429, 500, 503, 504, 508]

    /// Of requests, in bytes. Those that say that they have no more are read before the connection is made, so that they can be
    /// sent again when it fails. nginx can do that with nothing that it passes on as it comes.
    static let keptBody = 99_999

    /// Connections to the endpoint that each worker process keeps for the next requests.
    private static let keptConnections = 64
    /// Processes that take requests: one for two processors, since what they ask and whom they pass requests on to needs some, too.
    /// All their kept connections are fewer than the endpoint has to spare.
    package static let workers = min(max(ProcessInfo.processInfo.activeProcessorCount / 2, 1), 8)

    package var configuration: String {
        """
        # Written by atenet; changes are lost.
        \(copy.map { NginxTable.loading(from: $0.modules) } ?? "")
        daemon off;
        pid "\(settings.directory)/nginx.pid";
        worker_processes \(Self.workers);
        worker_rlimit_nofile \(settings.connections + 2 * Self.keptConnections);
        events {
            worker_connections \(settings.connections + Self.keptConnections);
        }
        http {
            access_log off;
            server_tokens off;
        \(temporaryPaths)
        \(copy == nil ? "" : NginxTable.serving(tableDirectory, at: tableSocket))
        \(routers.map { "    include \"\($0.file)\";" } ?? "")
            upstream ate_endpoint {
                server \(settings.endpoint);
                keepalive \(Self.keptConnections);
                keepalive_requests 1000000;
            }
            map $http_upgrade $ate_connection {
                "" "";
                default upgrade;
            }
            # Whether the body is passed on as it comes.
            map "$http_transfer_encoding:$content_length" $ate_streams {
                default 1;
                ":" 0;
                "~^:[0-9]{1,5}$" 0;
            }
            # Whether an actor has got anything of the request in the try that has failed; in those before it none has.
            map $upstream_bytes_sent $ate_sent {
                volatile;
                default 1;
                "" 0;
                "~(^| )[0-]$" 0;
            }
            # Clients of HTTP/1.0 need not say one, routers have to.
            map $http_host $ate_host {
                "" localhost;
                default $http_host;
            }
        \(servers)
        }

        """
    }

    private var temporaryPaths: String {
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "    \($0)_temp_path \"\(settings.directory)/tmp/\($0)\";" }.joined(separator: "\n")
    }

    /// For whom requests are taken.
    private enum Side {
        case clients
        /// The routers of other machines, which have taken them for clients.
        case peers
    }

    private var servers: String {
        let forClients = server(for: .clients, clientListeners)
        guard let peers = settings.peers, let address = peers.listen else { return forClients }
        return [forClients, server(for: .peers, peerListeners(address, peers))].joined(separator: "\n")
    }

    private func server(for side: Side, _ listeners: [String]) -> String {
        """
            server {
        \(Self.indented(listeners, by: 8))
                client_max_body_size 0;
                client_body_buffer_size \(Self.keptBody + 1);
                recursive_error_pages on;
                location / {
                    error_page 419 = @streamed;
                    if ($ate_streams) { return 419; }
        \(first(side))
                    error_page 502 504 = @again;
                }
        \(copy == nil ? "" : askedLocation(side))
                location @again {
                    if ($ate_sent) { return 503 "the actor went away before it had answered; it may have got the request\\n"; }
        \(passing(asking: "/_ate_resolve", side))
                    error_page 502 504 = @again;
                }
                location @streamed {
        \(passing(asking: "/_ate_resolve_checked", side))
                    proxy_request_buffering off;
                    error_page 502 504 = @unreachable;
                }
        \(side == .clients ? othersLocations : "")
                location = /_ate_resolve {
                    internal;
        \(asking(side))
                }
                location = /_ate_resolve_checked {
                    internal;
        \(asking(side))
                    proxy_set_header \(ResolveEndpoint.checkHeader) 1;
                }
        \(side == .peers ? untrusted : "")
                location @refused {
                    default_type text/plain;
        \(answers(side))
                    return 500 "error resuming the actor\\n";
                }
                location @unreachable {
                    default_type text/plain;
                    return 503 "\(Resolution.unreachableText)\\n";
                }
            }
        """
    }

    /// What a request meets first whose body is not streamed. Who is in the copy needs no question. (An actor of another machine is
    /// never where another router's request goes.)
    private func first(_ side: Side) -> String {
        guard copy != nil else { return passing(asking: "/_ate_resolve", side) }
        let passesOn = side == .clients && settings.peers != nil
        return Self.indented(
            [
                NginxTable.lookup(passesOn: passesOn), "error_page 418 = @asked;",
                "if ($ate_known = 0) { return 418; }",
            ] + (passesOn ? ["error_page 417 = @router;", "if ($ate_known = 2) { return 417; }"] : []) + [
                "proxy_pass http://$ate_destination;", Self.ignoringAll,
            ] + proxying(side), by: 12)
    }

    private func askedLocation(_ side: Side) -> String {
        """
                location @asked {
        \(passing(asking: "/_ate_resolve", side))
                    error_page 502 504 = @again;
                }
        """
    }

    /// These would have nginx do what an actor says.
    private static func ignoring(_ others: String...) -> String {
        let headers = others + ["X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset"]
        return "proxy_ignore_headers \(headers.joined(separator: " "))"
    }

    private static let ignoringAll = ignoring(Resolution.elsewhereHeader.name) + ";"

    /// It is not the client's certificate that is missing.
    private var untrusted: String {
        Self.indented(
            [
                "error_page 495 496 = @untrusted;",
                "location @untrusted { default_type text/plain; "
                    + "return 503 \"the router of the actor's machine does not take this router's certificate\\n\"; }",
            ], by: 8)
    }

    /// How requests go on to the routers of other machines: where the endpoint has answered that they do.
    private var othersLocations: String {
        guard let peers = settings.peers else { return "" }
        let tls = peers.tls.map { tls in
            [
                "proxy_ssl_certificate \"\(tls.certificate)\";", "proxy_ssl_certificate_key \"\(tls.privateKey)\";",
                "proxy_ssl_trusted_certificate \"\(tls.authorities)\";", "proxy_ssl_verify on;",
                "proxy_ssl_verify_depth 4;", "proxy_ssl_name \"\(tls.serverName)\";", "proxy_ssl_server_name on;",
                // Sessions of 1.2 are resumed at half the cost of those of 1.3.
                "proxy_ssl_protocols TLSv1.2;",
            ]
        }
        let onward = Self.indented(
            [
                "proxy_pass \(tls == nil ? "http" : "https")://$\(routers == nil ? "ate_destination" : "ate_router");",
                "proxy_socket_keepalive on;",
            ]
                + (tls ?? []) + proxying(.clients, toRouter: true), by: 12)
        return """
                    location @router {
            \(onward)
                        \(Self.ignoring());
                        error_page 502 504 = @again;
                    }
                    location \(Resolution.elsewhereHeader.value) {
            \(passing(asking: "/_ate_resolve", .clients))
                        error_page 502 504 = @again;
                    }
                    location @router_streamed {
            \(onward)
                        \(Self.ignoring(Resolution.elsewhereHeader.name));
                        proxy_request_buffering off;
                        error_page 502 504 = @unreachable;
                    }
            """
    }

    private var clientListeners: [String] {
        var lines = settings.listen.map { ["listen \($0);"] } ?? []
        if let tls = settings.tls {
            lines += ["listen \(tls.listen) ssl;"] + Self.serving(tls.certificate, tls.privateKey)
            if let authorities = tls.clientAuthorities { lines += Self.verifying(authorities) }
        }
        return lines
    }

    private func peerListeners(_ address: String, _ peers: ProxyPeers) -> [String] {
        // A machine that dies says nothing, and its connections would stay.
        let kept = "so_keepalive=30s:10s:3"
        guard let tls = peers.tls else { return ["listen \(address) \(kept);"] }
        return ["listen \(address) ssl \(kept);"] + Self.serving(tls.certificate, tls.privateKey)
            + Self.verifying(tls.authorities)
    }

    private static func serving(_ certificate: String, _ privateKey: String) -> [String] {
        [
            "ssl_certificate \"\(certificate)\";", "ssl_certificate_key \"\(privateKey)\";",
            "ssl_protocols TLSv1.2 TLSv1.3;", "ssl_session_cache shared:ate:4m;",
        ]
    }

    private static func verifying(_ authorities: String) -> [String] {
        ["ssl_client_certificate \"\(authorities)\";", "ssl_verify_client on;", "ssl_verify_depth 4;"]
    }

    /// What every location has that passes requests on to actors.
    private func passing(asking location: String, _ side: Side) -> String {
        let streams = location == "/_ate_resolve_checked"
        let other = side == .clients && settings.peers != nil
        return Self.indented(
            [
                "auth_request \(location);",
                "auth_request_set $ate_destination $upstream_http_\(Self.variable(ResolveEndpoint.destinationHeader));",
                "auth_request_set $ate_round $upstream_http_\(Self.variable(ResolveEndpoint.roundHeader));",
                "auth_request_set $ate_status $upstream_http_\(Self.variable(ResolveEndpoint.statusHeader));",
                "auth_request_set $ate_message $upstream_http_\(Self.variable(ResolveEndpoint.messageHeader));",
                "error_page 403 = @refused;", "error_page 500 = @unreachable;",
            ] + (other ? ["error_page 401 = \(streams ? "@router_streamed" : "@router");"] : []) + [
                "proxy_pass http://$ate_destination;", Self.ignoringAll,
            ] + proxying(side), by: 12)
    }

    /// What holds wherever requests go.
    private func proxying(_ side: Side, toRouter: Bool = false) -> [String] {
        // Routers have said already whom they have it from.
        let (from, scheme) =
            side == .clients
            ? ("$proxy_add_x_forwarded_for", "$scheme") : ("$http_x_forwarded_for", "$http_x_forwarded_proto")
        return [
            "proxy_http_version 1.1;", "proxy_next_upstream off;",
            "proxy_set_header Host \(toRouter ? "$ate_host" : "$http_host");",
            "proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $ate_connection;",
            "proxy_set_header X-Forwarded-For \(from);", "proxy_set_header X-Forwarded-Proto \(scheme);",
        ]
            + ResolveEndpoint.internalHeaders.map { header in
                "proxy_set_header \(header) \(toRouter && header == ResolveEndpoint.forwardedHeader ? "1" : "\"\"");"
            } + [
                "proxy_connect_timeout 2s;", "proxy_read_timeout 3600s;", "proxy_send_timeout 3600s;",
                "proxy_buffering off;",
            ]
    }

    /// The question to the endpoint. Of what the client sends it gets only this.
    private func asking(_ side: Side) -> String {
        Self.indented(
            [
                "proxy_pass http://ate_endpoint\(ResolveEndpoint.nginxPath);", "proxy_http_version 1.1;",
                "proxy_pass_request_body off;", "proxy_pass_request_headers off;",
                "proxy_set_header Content-Length \"\";", "proxy_set_header Connection \"\";",
                "proxy_set_header \(ResolveEndpoint.hostHeader) $http_host;",
                "proxy_set_header \(ResolveEndpoint.targetHeader) $http_\(Self.variable(RequestTarget.header));",
                "proxy_set_header \(ResolveEndpoint.forwardedHeader) $http_\(Self.variable(ResolveEndpoint.forwardedHeader));",
                "proxy_set_header \(TraceContext.parentHeader) $http_\(TraceContext.parentHeader);",
                "proxy_set_header \(TraceContext.stateHeader) $http_\(TraceContext.stateHeader);",
                "proxy_set_header \(ResolveEndpoint.destinationHeader) $ate_destination;",
                "proxy_set_header \(ResolveEndpoint.roundHeader) $ate_round;",
                "proxy_connect_timeout 2s;", "proxy_read_timeout \(settings.resolveTimeout)ms;",
            ] + (side == .peers ? ["proxy_set_header \(ResolveEndpoint.peerHeader) 1;"] : []), by: 12)
    }

    private func answers(_ side: Side) -> String {
        let others =
            "add_header \(Resolution.elsewhereHeader.name) \(Resolution.elsewhereHeader.value) always; return 503 \"$ate_message\\n\";"
        return Self.indented(
            (side == .peers ? ["if ($ate_status = \(Resolution.elsewhereStatus)) { \(others) }"] : [])
                + Self.refusals.map { "if ($ate_status = \($0)) { return \($0) \"$ate_message\\n\"; }" }, by: 12)
    }

    private static func variable(_ header: String) -> String { header.replacing("-", with: "_") }

    private static func indented(_ lines: [String], by width: Int) -> String {
        lines.map { String(repeating: " ", count: width) + $0 }.joined(separator: "\n")
    }
}
