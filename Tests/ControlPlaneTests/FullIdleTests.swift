import Foundation
import Glibc
import HTTP
import LocalCluster
import Processes
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// Idle actors with the real programs: what a node sees of the connections to its actors (B27).
@Suite(
    .enabled(if: ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] != nil), .timeLimit(.minutes(3)))
struct FullIdleTests {
    private let directory = TemporaryDirectory()
    private let programs = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().path

    @Test func anActorWithAnOpenConnectionRunsOnAndOneWithoutIsSuspended() async throws {
        let stack = try await LocalStack.start(
            directory: directory.path, programs: programs, addressBlock: 1 + Int(getpid()) % 200)
        do {
            try await hold(stack)
        } catch {
            await stack.stop()
            throw error
        }
        await stack.stop()
    }

    private func hold(_ stack: LocalStack) async throws {
        let manifest = try stack.manifest(of: "examples/counter.yaml")
        let text = try String(contentsOfFile: manifest, encoding: .utf8)
        let location = "  snapshotsConfig:"
        try #require(text.contains(location))
        try text.replacing(location, with: "  idleTimeout: 1s\n\(location)")
            .write(toFile: manifest, atomically: true, encoding: .utf8)
        let applied = try await stack.atectl(["apply", "-f", manifest])
        try #require(applied.status == .exited(code: 0), "\(applied.output)")
        for name in ["alice", "bob"] {
            let created = try await stack.atectl(["create", "actor", name, "--template", "default/counter"])
            try #require(created.status == .exited(code: 0), "\(created.output)")
            #expect(try await count(stack, "POST", name) == "1")
        }
        let place = try #require(try await actor("alice", stack).assignment?.address)
        let connection = try connect(to: place)
        try await eventually("bob is suspended", within: .seconds(60)) {
            try await actor("bob", stack).status == .suspended
        }
        #expect(try await actor("alice", stack).status == .running)
        close(connection)
        try await eventually("alice is suspended", within: .seconds(60)) {
            try await actor("alice", stack).status == .suspended
        }
        for name in ["alice", "bob"] { #expect(try await count(stack, "POST", name) == "2") }
    }

    private func connect(to place: ActorAddress) throws -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(place.port).bigEndian
        address.sin_addr.s_addr = inet_addr(place.ip)
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let outcome = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(outcome == 0)
        return connection
    }

    private func actor(_ name: String, _ stack: LocalStack) async throws -> ActorInfo {
        let request = GetActorRequest(actor: ActorRef(atespace: "default", name: name))
        return try await stack.channel.call(ControlMethods.getActor, request, timeout: .seconds(10)).actor
    }

    private func count(_ stack: LocalStack, _ method: String, _ actor: String) async throws -> String {
        let answer = try await HTTPClient.send(
            method, "http://\(stack.routerAddress)/",
            headers: ["Host": "\(actor).actors.resources.substrate.ate.dev"], timeout: .seconds(30))
        return String(decoding: answer.body, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
