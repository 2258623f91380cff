internal import Foundation
package import ServiceKit

/// The proxy in front of the actors: configured, started and kept running by us. It asks the endpoint about each request.
package protocol Proxy: Sendable {
    /// Runs it until the task is cancelled.
    /// - Throws: `ProxyError` when it ends by itself, `SpawnError` when it cannot be started.
    func run(_ environment: Environment) async throws
}

/// What any proxy has to know.
package struct ProxySettings: Sendable {
    /// Where clients connect without TLS, `ip:port`; nil for nowhere.
    package var listen: String?
    package var tls: ProxyTLS?
    /// Nil when there are no routers of other machines.
    package var peers: ProxyPeers?
    /// Where our endpoint listens, `ip:port`.
    package var endpoint: String
    /// For its configuration and temporary files; made if it is not there.
    package var directory: String
    package var program: String
    /// Of the resolver behind the endpoint.
    package var options: ResolverOptions

    package init(
        listen: String?, tls: ProxyTLS? = nil, peers: ProxyPeers? = nil, endpoint: String, directory: String,
        program: String,
        options: ResolverOptions = ResolverOptions()
    ) {
        self.listen = listen
        self.tls = tls
        self.peers = peers
        self.endpoint = endpoint
        self.directory = absolute(directory)
        self.program = program
        self.options = options
    }

    /// The PEM files that the proxy reads.
    var files: [String] { (tls?.files ?? []) + (peers?.tls?.files ?? []) }

    /// Requests that are with their actors at the same time, beside those that wait.
    static let maximumServed = 4096

    /// A request holds its client's connection and one more: to the endpoint as long as it waits, then to its actor.
    var connections: Int { 2 * (options.maximumWaiting + Self.maximumServed) }

    /// In milliseconds. The resolver answers within its budget and the pauses; this is for when it does not.
    var resolveTimeout: Int {
        let longest = options.budget * 2 + (options.retryPauses.max() ?? .zero)
        return Int((longest + .seconds(5)) / .milliseconds(1))
    }
}

/// TLS for clients.
package struct ProxyTLS: Sendable {
    /// Where clients connect, `ip:port`.
    package var listen: String
    /// PEM files. When they change the proxy reads them again; connections that exist go on with what they began with.
    package var certificate: String
    package var privateKey: String
    /// PEM file: clients have to show a certificate by one of these authorities.
    package var clientAuthorities: String?

    package init(listen: String, certificate: String, privateKey: String, clientAuthorities: String? = nil) {
        self.listen = listen
        self.certificate = absolute(certificate)
        self.privateKey = absolute(privateKey)
        self.clientAuthorities = clientAuthorities.map(absolute)
    }

    var files: [String] { [certificate, privateKey] + (clientAuthorities.map { [$0] } ?? []) }
}

/// The routers of other machines: each is reached where the agents of its machine say.
package struct ProxyPeers: Sendable {
    /// Where they connect, `ip:port`; nil for nowhere.
    package var listen: String?
    /// For both sides of a connection; nil for plain text.
    package var tls: TLS?

    package init(listen: String?, tls: TLS?) {
        self.listen = listen
        self.tls = tls
    }

    /// PEM files. When they change the proxy reads them again.
    package struct TLS: Sendable {
        /// What this router shows, as server and as client.
        package var certificate: String
        package var privateKey: String
        /// The others' certificates have to come from one of these.
        package var authorities: String
        /// What the certificate of a router that is connected to has to be for.
        package var serverName: String

        package init(certificate: String, privateKey: String, authorities: String, serverName: String) {
            self.certificate = absolute(certificate)
            self.privateKey = absolute(privateKey)
            self.authorities = absolute(authorities)
            self.serverName = serverName
        }

        var files: [String] { [certificate, privateKey, authorities] }
    }
}

/// Proxies take a path for one below a folder of their own.
private func absolute(_ path: String) -> String { URL(fileURLWithPath: path).path }

/// A proxy ended, or cannot be run.
package struct ProxyError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
