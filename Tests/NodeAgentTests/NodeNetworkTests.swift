import Foundation
import Processes
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// Workers' networks, with plain processes in the place of actors.
@Suite(.enabled(if: GVisorFixture.obstacle == nil, "it needs root, nft and python3: see GVisorFixture.obstacle"))
struct NodeNetworkTests {
    private let files = TemporaryDirectory()
    private let network = NodeNetwork(
        directoryID: UUID().uuidString.lowercased().replacing("-", with: ""), subnets: [])
    private let address = ActorAddress(
        ip: "198.\(Int.random(in: 18...19)).\(Int.random(in: 0...255)).\(Int.random(in: 1...254))", port: 80)

    private func used(_ body: () async throws -> Void) async throws {
        try await network.begin()
        do { try await body() } catch {
            try? await network.removeAll()
            throw error
        }
        try await network.removeAll()
    }

    /// All rules, without what counts.
    private func rules() async throws -> String {
        try await ShortCommand.run("nft", ["-s", "-t", "list", "table", "inet", network.names.table], to: "list")
    }

    @Test func rulesThatSomebodyHasRemovedAreMadeAnewWithTheConnectionsThereAre() async throws {
        try await used {
            let worker = try await network.worker("node-0")
            _ = try await network.worker("node-1")
            try await worker.open(for: address)
            let server = try await ChildProcess.start(
                Command(
                    "ip",
                    [
                        "netns", "exec", worker.namespace, "/usr/bin/python3", "-c",
                        "import socket; server = socket.create_server(('0.0.0.0', 80)); kept = server.accept(); server.accept()",
                    ], environment: ShortCommand.path))
            let open = try await eventualValue("it is reached") { try? Connection(to: address) }
            defer { open.end() }
            let flows = try await worker.flows("flows", in: files.path)
            let before = try await rules()
            #expect(flows.count >= 1 && !before.isEmpty)
            #expect(try await !network.repair())
            #expect(network.openings.blindness == nil)

            try await ShortCommand.run("nft", ["delete", "table", "inet", network.names.table], to: "reload")
            #expect(try await network.repair())
            #expect(try await rules() == before)
            #expect(Set(try await worker.flows("flows", in: files.path)).isSuperset(of: [open.flow(to: address)]))
            // Until those have ended that are known to nobody.
            #expect(network.openings.blindness != nil)
            #expect(try await !network.repair())
            await server.killAndWait()
        }
    }

    @Test func aWorkerThatCannotBeMadeLeavesNothingAndCanBeMadeLater() async throws {
        try await used {
            let first = network.names.device(0)
            // In the way.
            try await ShortCommand.run("ip", ["link", "add", first, "type", "veth"], to: "make a device")
            let before = try await rules()
            await #expect(throws: RuntimeFailure.self) { try await network.worker("node-0") }
            #expect(try await rules() == before)
            #expect(!FileManager.default.fileExists(atPath: "/run/netns/\(network.names.namespace(0))"))
            #expect(!FileManager.default.fileExists(atPath: "/sys/class/net/\(first)"))
            #expect(try await network.worker("node-0").number == 0)
        }
    }
}
