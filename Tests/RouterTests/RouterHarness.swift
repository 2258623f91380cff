import Foundation
import GRPC
import HTTP
import LocalCluster
import Router
import ServiceKit
import SubstrateModel
import TestKit
import Testing

/// Which proxy a test is about.
enum TestedProxy: Sendable {
    /// One that asks about each request, one that looks up those whom it knows, and Envoy.
    case nginx, nginxWithTable, envoy

    /// The built Envoy that `scripts/deps envoy` installs, or one in the PATH.
    static let envoyProgram: String? = {
        let repository = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").path
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let places = ["\(repository)/.local/envoy/envoy"] + path.split(separator: ":").map { "\($0)/envoy" }
        return places.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    /// Those that there are on this machine.
    static var here: [TestedProxy] { [.nginx, .nginxWithTable] + (envoyProgram == nil ? [] : [.envoy]) }

    func make(_ settings: ProxySettings, _ resolver: ActorResolver) -> any Proxy {
        var settings = settings
        switch self {
        case .nginx:
            settings.program = "nginx"
            return Nginx(settings)
        case .nginxWithTable:
            settings.program = "nginx"
            return Nginx(settings, copying: TableCopy(of: resolver))
        case .envoy:
            settings.program = Self.envoyProgram ?? "envoy"
            return Envoy(settings)
        }
    }
}

/// The router with a real proxy, in front of an API that a test plays.
struct RouterHarness: Sendable {
    static let domain = HostName.domain

    /// Where clients connect.
    let address: String
    let resolver: ActorResolver

    /// - Parameter api: serves or not, as the test has it.
    static func run(
        _ proxy: TestedProxy = .nginx, api: PlayedAPI, options: ResolverOptions = ResolverOptions(),
        clock: any Clock<Duration> = ContinuousClock(), tls: ProxyTLS? = nil, peers: ProxyPeers? = nil,
        _ body: @Sendable (RouterHarness) async throws -> Void
    ) async throws {
        let log = LogRecorder()
        let resolver = ActorResolver(
            channel: Channel(target: api.address, credentials: .insecure),
            environment: .test(log: log.log, clock: clock), options: options)
        let endpoint = ResolveEndpoint(resolver: resolver)
        let server = try HTTPServer(
            host: "127.0.0.1", port: 0, connectionLimit: options.endpointConnections, atOnce: endpoint.answerAtOnce
        ) { await endpoint.answer($0) }
        let files = TemporaryDirectory()
        let listen = "127.0.0.1:\(try FreePort.find())"
        let run = proxy.make(
            ProxySettings(
                listen: listen, tls: tls, peers: peers, endpoint: "127.0.0.1:\(server.port)", directory: files.path,
                program: "",
                options: options), resolver)
        do {
            try await running(resolver.run) {
                try await running(server.run) {
                    try await running({ try await run.run(.test(log: log.log)) }) {
                        try await eventually("the proxy serves") {
                            (try? await HTTPClient.send("GET", "http://\(listen)/", timeout: .seconds(5)))?.status
                                == 404
                        }
                        try await body(RouterHarness(address: listen, resolver: resolver))
                    }
                }
            }
        } catch {
            let lines = log.lines.suffix(20).map { "\($0.message) \($0.fields)" }.joined(separator: "\n")
            throw DidNotHappen(description: "\(error)\n\(lines)")
        }
        withExtendedLifetime(files) {}
    }

    /// The same beside an API that resumes.
    static func run(
        _ proxy: TestedProxy = .nginx, options: ResolverOptions = ResolverOptions(),
        resume: @escaping PlayedAPI.Resume, _ body: @Sendable (RouterHarness, PlayedAPI) async throws -> Void
    ) async throws {
        let api = try PlayedAPI(resume)
        try await api.serving {
            try await run(proxy, api: api, options: options) { try await body($0, api) }
        }
    }

    func send(
        _ method: String = "GET", _ path: String = "/", to actor: String, headers: [String: String] = [:],
        body: [UInt8]? = nil
    ) async throws -> HTTPResponse {
        try await send(method, path, host: "\(actor).\(Self.domain)", headers: headers, body: body)
    }

    func send(
        _ method: String = "GET", _ path: String = "/", host: String, headers: [String: String] = [:],
        body: [UInt8]? = nil
    ) async throws -> HTTPResponse {
        try await HTTPClient.send(
            method, "http://\(address)\(path)", headers: headers.merging(["Host": host]) { $1 }, body: body,
            timeout: .seconds(30))
    }

    /// Waits until the router knows where the actor runs.
    func knows(_ actor: ActorRef, at address: ActorAddress) async throws {
        try await eventually("the router knows where \(actor) runs") {
            resolver.known.place(of: actor)?.destination.address == "\(address)"
        }
    }
}

/// `default/<name>`
func actor(_ name: String) -> ActorRef { ActorRef(atespace: "default", name: name) }

/// A place where nothing listens and nothing ever will.
let nowhere = ActorAddress(ip: "127.0.0.1", port: 1)
