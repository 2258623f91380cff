internal import Foundation
internal import Processes
package import ServiceKit

/// nginx in front of the actors: configured, started and kept running by us.
package struct Nginx: Sendable {
    /// Where clients connect, `ip:port`.
    package var listen: String
    /// Where our endpoint listens, `ip:port`.
    package var endpoint: String
    /// For its configuration and temporary files; made if it is not there.
    package var directory: String
    package var program: String
    /// Of the resolver behind the endpoint.
    package var options: ResolverOptions

    package init(
        listen: String, endpoint: String, directory: String, program: String = "nginx",
        options: ResolverOptions = ResolverOptions()
    ) {
        self.listen = listen
        self.endpoint = endpoint
        self.directory = directory
        self.program = program
        self.options = options
    }

    /// Runs nginx until the task is cancelled.
    /// - Throws: `NginxError` when it ends by itself, `SpawnError` when it cannot be started.
    package func run(_ log: Log) async throws {
        try FileManager.default.createDirectory(atPath: "\(directory)/tmp", withIntermediateDirectories: true)
        let file = "\(directory)/nginx.conf"
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
        let environment = ["PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"]
        var command = Command(
            Self.path(of: program), ["-p", directory, "-c", file, "-e", "stderr"], environment: environment,
            output: .lines { log.info("nginx", ["output": .string($0)]) })
        // Killed outright, it would leave its workers behind, with the port.
        command.deathSignal = SIGTERM
        let process = try await ChildProcess.start(command)
        let status = await process.wait()
        await process.stop(grace: .seconds(2))
        if let status, !Task.isCancelled { throw NginxError("nginx \(status); its reasons are in the log above") }
    }

    /// Ordinary users do not have the folder of Debian's nginx in their PATH.
    private static func path(of program: String) -> String {
        let known = "/usr/sbin/\(program)"
        return program == "nginx" && FileManager.default.isExecutableFile(atPath: known) ? known : program
    }

    /// The codes with which a request can be refused; `return` takes no variable for its code.
    private static let refusals = [401, 403, 404, 429, 500, 503, 504]

    /// Requests that are with their actors at the same time, beside those that wait.
    private static let maximumServed = 4096

    /// A request holds its client's connection and one more: to the endpoint as long as it waits, then to its actor.
    private var connections: Int { 2 * (options.maximumWaiting + Self.maximumServed) }

    /// The resolver answers within its budget; this is for when it does not.
    private var resolveTimeout: String { "\(Int((options.budget + .seconds(5)) / .milliseconds(1)))" }

    package var configuration: String {
        let temporaryPaths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "    \($0)_temp_path \"\(directory)/tmp/\($0)\";" }
        let answers = Self.refusals.map { "            if ($ate_status = \($0)) { return \($0) \"$ate_message\\n\"; }" }
        return """
            # Written by atenet; changes are lost.
            daemon off;
            pid "\(directory)/nginx.pid";
            worker_processes 1;
            worker_rlimit_nofile \(connections + 64);
            events {
                worker_connections \(connections);
            }
            http {
                access_log off;
                server_tokens off;
            \(temporaryPaths.joined(separator: "\n"))
                map $http_upgrade $ate_connection {
                    "" "";
                    default upgrade;
                }
                server {
                    listen \(listen);
                    client_max_body_size 0;
                    location / {
                        auth_request /_ate_resolve;
                        auth_request_set $ate_destination $upstream_http_x_ate_destination;
                        auth_request_set $ate_status $upstream_http_x_ate_status;
                        auth_request_set $ate_message $upstream_http_x_ate_message;
                        error_page 403 = @refused;
                        error_page 500 502 504 = @unreachable;
                        proxy_pass http://$ate_destination;
                        proxy_http_version 1.1;
                        proxy_set_header Host $http_host;
                        proxy_set_header Upgrade $http_upgrade;
                        proxy_set_header Connection $ate_connection;
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                        proxy_connect_timeout 2s;
                        proxy_read_timeout 3600s;
                        proxy_send_timeout 3600s;
                        proxy_buffering off;
                        proxy_request_buffering off;
                    }
                    location = /_ate_resolve {
                        internal;
                        proxy_pass http://\(endpoint)/resolve;
                        proxy_pass_request_body off;
                        proxy_set_header Content-Length "";
                        proxy_set_header X-Ate-Host $http_host;
                        proxy_connect_timeout 2s;
                        proxy_read_timeout \(resolveTimeout)ms;
                    }
                    location @refused {
                        internal;
                        default_type text/plain;
            \(answers.joined(separator: "\n"))
                        return 500 "error resuming the actor\\n";
                    }
                    location @unreachable {
                        internal;
                        default_type text/plain;
                        return 503 "the actor cannot be reached just now, please try again\\n";
                    }
                }
            }

            """
    }
}

/// nginx ended.
package struct NginxError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
