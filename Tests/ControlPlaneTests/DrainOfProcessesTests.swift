import Foundation
import Glibc
import HTTP
import LocalCluster
import Processes
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// A drain with the real programs, and an actor that is a process and counts.
@Suite(.timeLimit(.minutes(2))) struct DrainOfProcessesTests {
    private let directory = TemporaryDirectory()
    private let programs = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().path

    private func withStack(_ body: (LocalStack) async throws -> Void) async throws {
        let stack = try await LocalStack.start(
            directory: directory.path, programs: programs, addressBlock: 1 + Int(getpid()) % 200)
        do {
            try await body(stack)
        } catch {
            await stack.stop()
            throw error
        }
        await stack.stop()
    }

    @Test func aNodeThatIsStoppedOrDrainedLosesNothingThatItsActorDid() async throws {
        try await withStack { stack in
            try await atectl(stack, "apply", "-f", try stack.manifest(of: "examples/counter.yaml"))
            try await atectl(stack, "create", "actor", "alice", "--template", "default/counter")
            for expected in 1...3 { #expect(try await count(stack, "POST") == "\(expected)") }
            let first = try await node(of: "alice", stack)

            // There has been no snapshot yet.
            let said = try await atectl(stack, "drain", "node", first)
            #expect(said.split(separator: "\n").count == LocalStack.workersPerNode, "\(said)")
            let drained = try await actor("alice", stack)
            #expect(drained.status == .suspended && drained.lastSnapshot != nil && drained.lastRecovery == nil)
            for expected in 4...5 { #expect(try await count(stack, "POST") == "\(expected)") }
            let second = try await node(of: "alice", stack)
            #expect(second != first)
            try await atectl(stack, "undrain", "node", first)

            // SIGTERM.
            await stack.stopNode(second)
            let stopped = try await actor("alice", stack)
            #expect(stopped.status == .suspended && stopped.lastSnapshot != drained.lastSnapshot)
            #expect(stopped.lastRecovery == nil, "it was released instead of suspended")
            #expect(try await count(stack, "GET") == "5")
            #expect(try await node(of: "alice", stack) == first)
        }
    }

    private func actor(_ name: String, _ stack: LocalStack) async throws -> ActorInfo {
        let request = GetActorRequest(actor: ActorRef(atespace: "default", name: name))
        return try await stack.channel.call(ControlMethods.getActor, request, timeout: .seconds(10)).actor
    }

    /// The node whose worker has the actor.
    private func node(of name: String, _ stack: LocalStack) async throws -> String {
        let pod = try #require(try await actor(name, stack).assignment?.worker.pod)
        return try #require(stack.nodes.first { pod.hasPrefix("\($0)-") })
    }

    @discardableResult
    private func atectl(_ stack: LocalStack, _ arguments: String...) async throws -> String {
        let result = try await stack.atectl(arguments)
        guard result.status == .exited(code: 0) else {
            throw ClusterError("atectl \(arguments.joined(separator: " ")): \(result.output)")
        }
        return result.output
    }

    /// What the actor answers through the router.
    private func count(_ stack: LocalStack, _ method: String) async throws -> String {
        let answer = try await HTTPClient.send(
            method, "http://\(stack.routerAddress)/",
            headers: ["Host": "alice.actors.resources.substrate.ate.dev"], timeout: .seconds(30))
        return String(decoding: answer.body, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
