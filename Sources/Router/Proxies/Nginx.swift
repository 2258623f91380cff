internal import Foundation
internal import Glibc
internal import Processes
package import ServiceKit

/// nginx in front of the actors.
package struct Nginx: Proxy {
    package var settings: ProxySettings

    package init(_ settings: ProxySettings) { self.settings = settings }

    package func run(_ environment: Environment) async throws {
        let directory = settings.directory
        for path in [directory] + (settings.tls?.files ?? []) {
            guard path.unicodeScalars.allSatisfy({ !#""\$"#.unicodeScalars.contains($0) && $0.value >= 0x20 }) else {
                throw ProxyError("\(path): nginx's configuration cannot name it")
            }
        }
        try FileManager.default.createDirectory(atPath: "\(directory)/tmp", withIntermediateDirectories: true)
        let file = "\(directory)/nginx.conf"
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
        try await ProxyProcess(
            name: "nginx", program: settings.program, arguments: ["-p", directory, "-c", file, "-e", "stderr"],
            files: settings.tls?.files ?? []
        ) { $0.signal(SIGHUP) }.run(environment)
    }

    /// The codes with which a request can be refused; `return` takes no variable for its code.
    private static let refusals = [400, 401, 403, 404, 429, 500, 503, 504]

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
            # Whether an actor has got anything of the request, after one that has failed.
            map $upstream_bytes_sent $ate_sent {
                volatile;
                default 1;
                "~^[0 :,-]*$" 0;
            }
            server {
        \(listeners)
                client_max_body_size 0;
                client_body_buffer_size \(Self.keptBody + 1);
                recursive_error_pages on;
                location / {
                    error_page 419 = @streamed;
                    if ($ate_streams) { return 419; }
        \(passing(asking: "/_ate_resolve"))
                    error_page 502 504 = @again;
                }
                location @again {
                    if ($ate_sent) { return 503 "the actor went away before it had answered; it may have got the request\\n"; }
        \(passing(asking: "/_ate_resolve"))
                    error_page 502 504 = @again;
                }
                location @streamed {
        \(passing(asking: "/_ate_resolve_checked"))
                    proxy_request_buffering off;
                    error_page 502 504 = @unreachable;
                }
                location = /_ate_resolve {
                    internal;
        \(asking)
                }
                location = /_ate_resolve_checked {
                    internal;
        \(asking)
                    proxy_set_header \(ResolveEndpoint.checkHeader) 1;
                }
                location @refused {
                    default_type text/plain;
        \(answers)
                    return 500 "error resuming the actor\\n";
                }
                location @unreachable {
                    default_type text/plain;
                    return 503 "\(Resolution.unreachableText)\\n";
                }
            }
        }

        """
    }

    private var temporaryPaths: String {
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "    \($0)_temp_path \"\(settings.directory)/tmp/\($0)\";" }.joined(separator: "\n")
    }

    private var listeners: String {
        var lines = settings.listen.map { ["listen \($0);"] } ?? []
        if let tls = settings.tls {
            lines += [
                "listen \(tls.listen) ssl;", "ssl_certificate \"\(tls.certificate)\";",
                "ssl_certificate_key \"\(tls.privateKey)\";", "ssl_protocols TLSv1.2 TLSv1.3;",
                "ssl_session_cache shared:ate:4m;",
            ]
            if let authorities = tls.clientAuthorities {
                lines += ["ssl_client_certificate \"\(authorities)\";", "ssl_verify_client on;"]
            }
        }
        return Self.indented(lines, by: 8)
    }

    /// What every location has that passes requests on.
    private func passing(asking location: String) -> String {
        Self.indented(
            [
                "auth_request \(location);",
                "auth_request_set $ate_destination $upstream_http_\(Self.variable(ResolveEndpoint.destinationHeader));",
                "auth_request_set $ate_round $upstream_http_\(Self.variable(ResolveEndpoint.roundHeader));",
                "auth_request_set $ate_status $upstream_http_\(Self.variable(ResolveEndpoint.statusHeader));",
                "auth_request_set $ate_message $upstream_http_\(Self.variable(ResolveEndpoint.messageHeader));",
                "error_page 403 = @refused;", "error_page 500 = @unreachable;",
                "proxy_pass http://$ate_destination;", "proxy_http_version 1.1;", "proxy_next_upstream off;",
                "proxy_set_header Host $http_host;", "proxy_set_header Upgrade $http_upgrade;",
                "proxy_set_header Connection $ate_connection;",
                "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
                "proxy_set_header X-Forwarded-Proto $scheme;",
            ] + ResolveEndpoint.internalHeaders.map { "proxy_set_header \($0) \"\";" } + [
                "proxy_connect_timeout 2s;", "proxy_read_timeout 3600s;", "proxy_send_timeout 3600s;",
                "proxy_buffering off;",
            ], by: 12)
    }

    /// The question to the endpoint. Of what the client sends it gets only this.
    private var asking: String {
        Self.indented(
            [
                "proxy_pass http://ate_endpoint\(ResolveEndpoint.nginxPath);", "proxy_http_version 1.1;",
                "proxy_pass_request_body off;", "proxy_pass_request_headers off;",
                "proxy_set_header Content-Length \"\";", "proxy_set_header Connection \"\";",
                "proxy_set_header \(ResolveEndpoint.hostHeader) $http_host;",
                "proxy_set_header \(ResolveEndpoint.targetHeader) $http_\(Self.variable(RequestTarget.header));",
                "proxy_set_header \(TraceContext.parentHeader) $http_\(TraceContext.parentHeader);",
                "proxy_set_header \(TraceContext.stateHeader) $http_\(TraceContext.stateHeader);",
                "proxy_set_header \(ResolveEndpoint.destinationHeader) $ate_destination;",
                "proxy_set_header \(ResolveEndpoint.roundHeader) $ate_round;",
                "proxy_connect_timeout 2s;", "proxy_read_timeout \(settings.resolveTimeout)ms;",
            ], by: 12)
    }

    private var answers: String {
        Self.indented(
            Self.refusals.map { "if ($ate_status = \($0)) { return \($0) \"$ate_message\\n\"; }" }, by: 12)
    }

    private static func variable(_ header: String) -> String { header.replacing("-", with: "_") }

    private static func indented(_ lines: [String], by width: Int) -> String {
        lines.map { String(repeating: " ", count: width) + $0 }.joined(separator: "\n")
    }
}
