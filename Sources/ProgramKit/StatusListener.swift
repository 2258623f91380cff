internal import HTTP
package import ServiceKit
package import StatusPage

/// The listener for those who look after a program: `--status-listen-addr`.
package struct StatusListener: Sendable {
    /// Nil when it is switched off.
    private let server: HTTPServer?

    /// Its flag, and what switches it off there.
    private static let flag = "status-listen-addr"
    private static let off = "none"

    /// Connections at a time: of Prometheus, of probes, and of people.
    private static let connectionLimit = 256

    package static func declare(default address: String, in flags: inout Flags) {
        flags.text(
            flag, "ADDRESS", default: address,
            help:
                "Where /metrics, /healthz, /readyz and the page /statusz are served over plain HTTP, ip:port with an IPv4 address; port 0 lets the system choose, and 'none' switches them off. Loopback only, since there is no TLS; --insecure allows others."
        )
    }

    /// Listens.
    /// - Throws: `FlagError` for an address that may not be, `HTTPError` for one that cannot be listened on.
    package init(_ values: Flags.Values, _ source: StatusSource) throws {
        let address = try values.text(Self.flag)
        guard address != Self.off else {
            server = nil
            return
        }
        try Loopback.check(address, isAllowedAnyway: values.isSet("insecure"), flag: "--\(Self.flag)")
        let parts = address.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let port = UInt16(parts[1]) else {
            throw FlagError("--\(Self.flag) \(address): must be ip:port, or '\(Self.off)'")
        }
        let endpoints = StatusEndpoints(source, isLocal: Loopback.contains(address))
        do {
            server = try HTTPServer(
                host: parts[0] == "localhost" ? "127.0.0.1" : String(parts[0]), port: Int(port),
                connectionLimit: Self.connectionLimit, streaming: endpoints.answer)
        } catch {
            throw FlagError("--\(Self.flag): \(error)")
        }
        source.environment.log.info(
            "status page", ["address": .string("\(parts[0]):\(server?.port ?? 0)")])
    }

    /// Serves until the task is cancelled.
    package func run() async {
        if let server { return await server.run() }
        let forever = AsyncStream<Never> { _ in }
        for await _ in forever {}
    }
}
