import Foundation
import HTTP
import LocalCluster
import Processes
import Router
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// The router with the real programs around it.
@Suite(
    .enabled(if: ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] != nil), .timeLimit(.minutes(4)))
struct FullRouterStackTests {
    private let directory = TemporaryDirectory()
    private let programs = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().path

    private func withStack(
        idleTimeout: String? = nil, _ body: @Sendable (LocalStack) async throws -> Void
    ) async throws {
        let stack = try await LocalStack.start(
            directory: directory.path, programs: programs, addressBlock: 1 + Int(getpid()) % 200)
        do {
            try await prepare(stack, idleTimeout: idleTimeout)
            try await body(stack)
        } catch {
            await stack.stop()
            throw error
        }
        await stack.stop()
    }

    /// An actor that takes a crowd, and says where it runs.
    private static let program = """
        #!/usr/bin/env python3
        import http.server, os
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(os.environ["ATE_ADDRESS"].encode())
            def log_message(self, *arguments):
                pass
        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 4096
        Server((os.environ["ATE_ADDRESS"], int(os.environ["ATE_PORT"])), Handler).serve_forever()
        """

    private func prepare(_ stack: LocalStack, idleTimeout: String?) async throws {
        let program = "\(directory.path)/where.py"
        // A program of its own: of the node's temporary files an actor sees the directory of its program alone.
        try Self.program.write(toFile: program, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
        let manifest = try stack.manifest(of: "examples/counter.yaml")
        var text = try String(contentsOfFile: manifest, encoding: .utf8)
        text = text.replacing("[counter]", with: "[\(program)]")
        if let idleTimeout {
            text = text.replacing("  snapshotsConfig:", with: "  idleTimeout: \(idleTimeout)\n  snapshotsConfig:")
        }
        try text.write(toFile: manifest, atomically: true, encoding: .utf8)
        try await atectl(stack, "apply", "-f", manifest)
        for name in ["alice", "bob"] {
            try await atectl(stack, "create", "actor", name, "--template", "default/counter")
        }
    }

    @Test func aThousandFirstRequestsCauseOneResumeAndAllAreAnswered() async throws {
        try await withStack { stack in
            let answers = try await withThrowingTaskGroup(of: HTTPResponse.self) { group in
                for _ in 0..<1000 { group.addTask { try await ask(stack, "alice") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count { $0.status == 200 } == 1000)
            #expect(Set(answers.map(\.text)).count == 1)
            // Created, claimed, seen running.
            #expect(try await info("alice", stack).version == 3)
        }
    }

    @Test func runningActorsAreServedWhileATEAPIIsDownAndOthersAreRefusedAtOnce() async throws {
        try await withStack { stack in
            let place = try await ask(stack, "alice").text
            await stack.killReplicas()
            for _ in 0..<20 { #expect(try await ask(stack, "alice").text == place) }
            let other = try await ask(stack, "bob")
            #expect(other.status == 503 && other.text == "actor \"bob\" unavailable\n")
            try await stack.restartReplicas()
            try await eventually("bob is brought up", within: .seconds(60)) {
                try await ask(stack, "bob").status == 200
            }
            #expect(try await ask(stack, "alice").text == place)
        }
    }

    @Test func anActorThatMovesBetweenTwoRequestsIsFollowed() async throws {
        try await withStack { stack in
            var places: Set<String> = []
            for number in 1...6 {
                places.insert(try await ask(stack, "alice").text)
                #expect(places.count == number)
                try await atectl(stack, "suspend", "actor", "alice")
            }
        }
    }

    /// Its node is dead before anybody has noticed, so the request waits for the release.
    @Test func aRequestForAnActorOnADeadNodeIsAnsweredFromAnother() async throws {
        try await withStack { stack in
            _ = try await atectl(stack, "get", "workers")
            let place = try await ask(stack, "alice").text
            let node = try #require(
                try await stack.channel.call(ControlMethods.listWorkers, EmptyRequest(), timeout: .seconds(10))
                    .workers.first { $0.actor?.name == "alice" }?.node)
            await stack.killNode(node)
            let answer = try await ask(stack, "alice")
            #expect(answer.status == 200 && answer.text != place)
        }
    }

    /// Although no request of it reaches ateapi.
    @Test func anActorThatIsAskedForDoesNotCountAsIdle() async throws {
        try await withStack(idleTimeout: "4s") { stack in
            let place = try await ask(stack, "alice").text
            // Three times the timeout.
            for _ in 0..<24 {
                #expect(try await ask(stack, "alice").text == place)
                try await Task.sleep(for: .milliseconds(500))
            }
            #expect(try await info("alice", stack).version == 3)
            try await eventually("alice is suspended", within: .seconds(60)) {
                try await info("alice", stack).status == .suspended
            }
            #expect(try await ask(stack, "alice").status == 200)
        }
    }

    private func ask(_ stack: LocalStack, _ actor: String) async throws -> HTTPResponse {
        try await HTTPClient.send(
            "GET", "http://\(stack.routerAddress)/", headers: ["Host": "\(actor).\(HostName.domain)"],
            timeout: .seconds(60))
    }

    private func info(_ name: String, _ stack: LocalStack) async throws -> ActorInfo {
        let request = GetActorRequest(actor: ActorRef(atespace: "default", name: name))
        return try await stack.channel.call(ControlMethods.getActor, request, timeout: .seconds(10)).actor
    }

    @discardableResult
    private func atectl(_ stack: LocalStack, _ arguments: String...) async throws -> String {
        let (output, status) = try await stack.atectl(arguments)
        try #require(status == .exited(code: 0), "\(arguments): \(output)")
        return output
    }
}
