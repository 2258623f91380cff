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

    /// An actor whose answer to /stream never ends.
    private static let streaming = """
        #!/usr/bin/env python3
        import http.server, os, time
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                while self.path == "/stream":
                    self.wfile.write(b".")
                    time.sleep(0.1)
                self.wfile.write(b"ok")
        address = (os.environ["ATE_ADDRESS"], int(os.environ["ATE_PORT"]))
        http.server.ThreadingHTTPServer(address, Handler).serve_forever()
        """

    private func hold(_ stack: LocalStack) async throws {
        let program = "\(directory.path)/streaming.py"
        // A program of its own: of the node's temporary files an actor sees the directory of its program alone.
        try Self.streaming.write(toFile: program, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
        let manifest = try stack.manifest(of: "examples/counter.yaml")
        var text = try String(contentsOfFile: manifest, encoding: .utf8)
        for (line, other) in [
            ("  snapshotsConfig:", "  idleTimeout: 1s\n  snapshotsConfig:"), ("[counter]", "[\(program)]"),
        ] {
            try #require(text.contains(line))
            text = text.replacing(line, with: other)
        }
        try text.write(toFile: manifest, atomically: true, encoding: .utf8)
        let applied = try await stack.atectl(["apply", "-f", manifest])
        try #require(applied.status == .exited(code: 0), "\(applied.output)")
        for name in ["alice", "bob"] {
            let created = try await stack.atectl(["create", "actor", name, "--template", "default/counter"])
            try #require(created.status == .exited(code: 0), "\(created.output)")
        }
        let connection = try connect(to: stack.routerAddress)
        let request = Array("GET /stream HTTP/1.1\r\nHost: \(host("alice"))\r\n\r\n".utf8)
        try #require(Glibc.send(connection, request, request.count, Int32(MSG_NOSIGNAL)) == request.count)
        try await eventually("the answer has begun", within: .seconds(60)) {
            var byte: UInt8 = 0
            return recv(connection, &byte, 1, Int32(MSG_DONTWAIT)) == 1
        }
        #expect(try await actor("alice", stack).status == .running)
        #expect(try await answer(stack, "bob") == "ok")
        try await eventually("bob is suspended", within: .seconds(60)) {
            try await actor("bob", stack).status == .suspended
        }
        let alice = try await actor("alice", stack)
        #expect(alice.status == .running && alice.lastSnapshot == nil)
        close(connection)
        try await eventually("alice is suspended", within: .seconds(60)) {
            try await actor("alice", stack).status == .suspended
        }
        for name in ["alice", "bob"] { #expect(try await answer(stack, name) == "ok") }
    }

    private func connect(to place: String) throws -> Int32 {
        let parts = place.split(separator: ":")
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = try #require(UInt16(parts[1])).bigEndian
        address.sin_addr.s_addr = inet_addr(String(parts[0]))
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let outcome = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(outcome == 0)
        return connection
    }

    private func host(_ actor: String) -> String { "\(actor).actors.resources.substrate.ate.dev" }

    private func actor(_ name: String, _ stack: LocalStack) async throws -> ActorInfo {
        let request = GetActorRequest(actor: ActorRef(atespace: "default", name: name))
        return try await stack.channel.call(ControlMethods.getActor, request, timeout: .seconds(10)).actor
    }

    private func answer(_ stack: LocalStack, _ actor: String) async throws -> String {
        let answer = try await HTTPClient.send(
            "GET", "http://\(stack.routerAddress)/", headers: ["Host": host(actor)], timeout: .seconds(30))
        return String(decoding: answer.body, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
