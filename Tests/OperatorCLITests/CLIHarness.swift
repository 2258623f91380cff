import ControlAPI
import GRPC
import LocalCluster
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@testable import OperatorCLI

/// What a command has said, and how it ended.
struct Outcome: Sendable {
    var status: Int32
    var output: String
    var complaints: String
}

/// A terminal whose screen tests can read while a command runs.
final class Screen: Sendable {
    let output = Collected<[UInt8]>()
    let complaints = Collected<String>()

    var bytes: [UInt8] { Array(output.all.joined()) }
    var text: String { String(decoding: bytes, as: UTF8.self) }
    var lines: [String] { text.split(separator: "\n").map(String.init) }

    func terminal(_ environment: [String: String] = [:], showsColours: Bool = false) -> Terminal {
        Terminal(
            environment: environment, showsColours: showsColours, writeBytes: { [output] in output.append($0) },
            complain: { [complaints] in complaints.append($0) })
    }
}

/// Runs a command in this process, with no settings but these.
func atectl(
    _ arguments: [String], environment: [String: String] = [:], showsColours: Bool = false
) async -> Outcome {
    let screen = Screen()
    let status = await OperatorCLI.run(arguments, screen.terminal(environment, showsColours: showsColours))
    return Outcome(status: status, output: screen.text, complaints: screen.complaints.all.joined())
}

func atectl(_ line: String, environment: [String: String] = [:]) async -> Outcome {
    await atectl(line.split(separator: " ").map(String.init), environment: environment)
}

/// A control plane with a node in this process, and atectl talking to it over real gRPC through a proxy.
struct CLIHarness: Sendable {
    let cluster: TestCluster
    let node: TestCluster.Node
    let proxy: FaultProxy
    private let server: String
    private var isDirect = false

    /// The same without the proxy.
    var direct: CLIHarness {
        var direct = self
        direct.isDirect = true
        return direct
    }

    var environment: [String: String] { ["ATE_ENDPOINT": isDirect ? server : proxy.endpoint] }

    static func run(
        on store: Store? = nil, workers: Int = 2, _ body: @Sendable (CLIHarness) async throws -> Void
    ) async throws {
        let store: Store = if let store { store } else { try await TestEtcd.store() }
        let cluster = try await TestCluster(store)
        let server = try Server(
            address: "127.0.0.1:0", credentials: .insecure, methods: ControlServices(control: cluster.control).methods)
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: workers)
            try await running(server.run) {
                let address = "127.0.0.1:\(server.port)"
                let proxy = try FaultProxy(target: address)
                try await body(CLIHarness(cluster: cluster, node: node, proxy: proxy, server: address))
            }
        }
    }

    /// Calls the API past atectl.
    func call<Request, Response>(_ rpc: RPC<Request, Response>, _ request: Request) async throws -> Response {
        try await Channel(target: server, credentials: .insecure).call(rpc, request, timeout: .seconds(20))
    }

    /// Runs a command, which has to succeed.
    @discardableResult
    func atectl(_ line: String, sourceLocation: SourceLocation = #_sourceLocation) async -> String {
        let outcome = await OperatorCLITests.atectl(line, environment: environment)
        #expect(outcome.status == 0, "\(line): \(outcome.complaints)", sourceLocation: sourceLocation)
        return outcome.output
    }

    /// Runs a command, which has to fail with one line.
    func failure(_ line: String, sourceLocation: SourceLocation = #_sourceLocation) async -> String {
        let outcome = await OperatorCLITests.atectl(line, environment: environment)
        #expect(outcome.status == 1, "\(line) succeeded", sourceLocation: sourceLocation)
        return outcome.complaints
    }

    /// Runs a command beside `body`, and interrupts it afterwards.
    func watching(
        _ line: String, _ body: @Sendable (Screen) async throws -> Void
    ) async throws {
        let screen = Screen()
        let arguments = line.split(separator: " ").map(String.init)
        let terminal = screen.terminal(environment)
        try await running({ _ = await OperatorCLI.run(arguments, terminal) }) { try await body(screen) }
    }
}

/// A directory that goes away with this object.
final class Folder: Sendable {
    private let directory = TemporaryDirectory()

    func path(_ file: String) -> String { "\(directory.path)/\(file)" }
}
