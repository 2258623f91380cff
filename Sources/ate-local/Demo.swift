import Foundation
import GRPC
import HTTP
import LocalCluster
internal import Processes
import ServiceKit
import SubstrateAPI
import SubstrateModel

/// `make demo`: the story of a worker that dies. Every claim is checked; the first that fails ends it.
struct Demo {
    /// The default time to live of a node's lease: how long the workers outlive an agent that was killed.
    private static let leaseTimeToLive: Duration = .seconds(5)

    private let stack: LocalStack
    private let start = ContinuousClock.now

    static func run() async throws {
        let directory = NSTemporaryDirectory() + "substrate-demo-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let begun = ContinuousClock.now
        let stack = try await LocalStack.start(
            directory: directory, programs: AteLocal.programs, addressBlock: 1 + Int(getpid()) % 200)
        print("etcd, ateapi, two atelets with two workers each and atenet serve after \((.now - begun).short)\n")
        do {
            try await Demo(stack: stack).tell()
        } catch {
            await uncancelled { await stack.stop() }
            throw error
        }
        await stack.stop()
        print("\nEvery claim held. Everything has been stopped.")
    }

    private func tell() async throws {
        try await step("An actor is created from the template counter: SUSPENDED, on no worker") {
            try await atectl("apply", "-f", try stack.manifest(of: AteLocal.example))
            try await atectl("create", "actor", "alice", "--template", "default/counter")
            let alice = try await actor("alice")
            try claim(alice.status == .suspended && alice.assignment == nil, "alice is SUSPENDED without a pod")
        }
        try await step("The first request through the router resumes it; it counts to 3") {
            for expected in 1...3 { try await request("POST", "alice", expect: "\(expected)") }
            try claim(try await actor("alice").status == .running, "alice is RUNNING")
        }
        try await step("It is suspended: the snapshot is written, the worker is free") {
            try await atectl("suspend", "actor", "alice")
            let alice = try await actor("alice")
            try claim(alice.status == .suspended && alice.assignment == nil, "alice is SUSPENDED without a pod")
            try claim(alice.lastSnapshot != nil, "alice has a last snapshot")
            try claim(try await workers().allSatisfy { $0.actor == nil }, "all workers are free")
        }
        try await step("A request resumes it: still 3; it counts to 5, the last two in no snapshot") {
            try await request("GET", "alice", expect: "3")
            for expected in 4...5 { try await request("POST", "alice", expect: "\(expected)") }
        }
        let alice = try await actor("alice")
        let snapshot = alice.lastSnapshot
        let doomed = try node(of: alice)
        try await step("A second actor, bob, runs on the other node and counts to 1") {
            try await atectl("create", "actor", "bob", "--template", "default/counter")
            try await request("POST", "bob", expect: "1")
            // Placement is random. Of the three workers that alice has left, one is on her node.
            while try node(of: try await actor("bob")) == doomed {
                try await atectl("suspend", "actor", "bob")
                try await request("GET", "bob", expect: "1")
            }
        }
        let bob = try await actor("bob")
        try await step("kill -9 of the atelet under alice: she is released within the lease time plus a second") {
            let killed = ContinuousClock.now
            await stack.killNode(doomed)
            let limit = Self.leaseTimeToLive + .seconds(1)
            var released = try await actor("alice")
            while released.status != .suspended, .now - killed < limit + .seconds(5) {
                try await Task.sleep(for: .milliseconds(10))
                released = try await actor("alice")
            }
            let took = .now - killed
            try claim(released.status == .suspended, "alice is SUSPENDED, \(took.short) after the kill")
            try claim(took <= limit, "that is within \(limit.short)")
            try claim(
                released.assignment == nil && released.inProgressSnapshot == nil, "no pod, no snapshot in progress")
            try claim(released.lastSnapshot == snapshot, "her last good snapshot is kept")
        }
        try await step("bob was not touched") {
            try claim(try await actor("bob") == bob, "his row is the same, version \(bob.version)")
            try await request("GET", "bob", expect: "1")
        }
        try await step("The next request for alice is answered from the surviving node, with 3, the last snapshot") {
            try await request("GET", "alice", expect: "3")
            try claim(try node(of: try await actor("alice")) != doomed, "alice is on the other node")
        }
    }

    // MARK: Telling

    private func step(_ title: String, _ body: () async throws -> Void) async throws {
        print("● \(title)")
        let begun = ContinuousClock.now
        try await body()
        print("  took \((.now - begun).short)\n")
    }

    private func claim(_ holds: Bool, _ what: String) throws {
        guard holds else { throw ClusterError("the claim does not hold: \(what)\nLogs of this run:\n\(logs)") }
        print("  ✓ \(what)")
    }

    private var logs: String {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(stack.directory)/logs")) ?? []
        return names.sorted().map { name in
            let text = FileManager.default.contents(atPath: "\(stack.directory)/logs/\(name)").map {
                String(decoding: $0, as: UTF8.self)
            }
            return "--- \(name)\n" + (text ?? "").split(separator: "\n").suffix(15).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    // MARK: Doing

    private func atectl(_ arguments: String...) async throws {
        print("  $ atectl \(arguments.joined(separator: " "))")
        let (output, status) = try await stack.atectl(arguments)
        guard status == .exited(code: 0) else {
            throw ClusterError("atectl \(status.map { "\($0)" } ?? "was interrupted"): \(output)")
        }
    }

    private func request(_ method: String, _ actor: String, expect body: String) async throws {
        let host = "\(actor).actors.resources.substrate.ate.dev"
        let response = try await HTTPClient.send(
            method, "http://\(stack.routerAddress)/", headers: ["Host": host], timeout: .seconds(30))
        let answer = response.text.filter { !$0.isNewline }
        try claim(
            response.status == 200 && answer == body, "\(method) http://\(host)/ answers \(answer), expected \(body)")
    }

    private func actor(_ name: String) async throws -> ActorInfo {
        let ref = ActorRef(atespace: Atespace.defaultName, name: name)
        return try await stack.channel.call(
            ControlMethods.getActor, GetActorRequest(actor: ref), timeout: .seconds(10)
        ).actor
    }

    private func workers() async throws -> [WorkerInfo] {
        try await stack.channel.call(ControlMethods.listWorkers, EmptyRequest(), timeout: .seconds(10)).workers
    }

    private func node(of actor: ActorInfo) throws -> String {
        guard let pod = actor.assignment?.worker.pod, let node = stack.nodes.first(where: { pod.hasPrefix($0) })
        else {
            throw ClusterError("\(actor.ref) is on no known node")
        }
        return node
    }
}

extension Duration {
    fileprivate var short: String { formatted(.units(allowed: [.seconds, .milliseconds], width: .narrow)) }
}
