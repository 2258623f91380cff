import Foundation
import GRPC
import HTTP
import LocalCluster
internal import Processes
import SubstrateAPI
import SubstrateModel

/// Where the story is told: does things, says so, and checks what is claimed. The first claim that fails ends it.
struct Stage {
    private let stack: LocalStack

    init(_ stack: LocalStack) { self.stack = stack }

    // MARK: Telling

    func beat(_ number: Int, _ title: String, _ body: () async throws -> Void) async throws {
        print("\(number). \(title)")
        let begun = ContinuousClock.now
        try await body()
        print("  took \((.now - begun).short)\n")
    }

    func claim(_ holds: Bool, _ what: String) throws {
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

    @discardableResult
    func atectl(_ arguments: String...) async throws -> String {
        print("  $ atectl \(arguments.joined(separator: " "))")
        let (output, status) = try await stack.atectl(arguments)
        guard status == .exited(code: 0) else {
            throw ClusterError("atectl \(status.map { "\($0)" } ?? "was interrupted"): \(output)")
        }
        return output
    }

    /// Asks an actor through the router.
    func ask(_ actor: String, _ question: String, status: Int = 200, expect answer: String) async throws {
        try await request("POST", "/ask", of: actor, body: question, status: status, expect: answer)
    }

    func leak(_ actor: String, to target: String, expect answer: String) async throws {
        try await request("POST", "/leak", of: actor, body: target, status: 200, expect: answer)
    }

    private func request(
        _ method: String, _ path: String, of actor: String, body: String, status: Int, expect answer: String
    ) async throws {
        let response = try await send(method, path, to: actor, body: body)
        let text = response.text.filter { !$0.isNewline }
        try claim(
            response.status == status && text.contains(answer), "\(actor) is asked: \(body) The answer: \(text)")
    }

    /// What an actor has been asked, by its own account.
    func chat(_ actor: String) async throws -> [String] {
        try await send("GET", "/chat", to: actor).text.split(separator: "\n").map(String.init)
    }

    func chat(_ actor: String, expect questions: [String]) async throws {
        let known = try await chat(actor)
        try claim(
            known == questions,
            "\(actor) remembers \(known.count) question\(known.count == 1 ? "" : "s"), as expected"
                + (known == questions ? "" : ": \(questions)"))
    }

    private func send(
        _ method: String, _ path: String, to actor: String, body: String? = nil
    ) async throws -> HTTPResponse {
        let host = "\(actor).actors.resources.substrate.ate.dev"
        return try await HTTPClient.send(
            method, "http://\(stack.routerAddress)\(path)", headers: ["Host": host], body: body.map { Array($0.utf8) },
            timeout: .seconds(30))
    }

    // MARK: Looking

    func actor(_ name: String) async throws -> ActorInfo {
        let ref = ActorRef(atespace: Atespace.defaultName, name: name)
        return try await stack.channel.call(
            ControlMethods.getActor, GetActorRequest(actor: ref), timeout: .seconds(10)
        ).actor
    }

    /// Waits until the actor is as it should be; as it is when the time is over.
    func wait(
        for name: String, within limit: Duration, until condition: (ActorInfo) -> Bool
    ) async throws -> ActorInfo {
        let begun = ContinuousClock.now
        while true {
            let info = try await actor(name)
            if condition(info) { return info }
            guard .now - begun < limit else {
                let status = info.status?.rawValue ?? "of no known status"
                throw ClusterError("\(name) is \(status) after \(limit.short)\nLogs of this run:\n\(logs)")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    func workers() async throws -> [WorkerInfo] {
        try await stack.channel.call(ControlMethods.listWorkers, EmptyRequest(), timeout: .seconds(10)).workers
    }

    func node(of actor: ActorInfo) throws -> String {
        guard let pod = actor.assignment?.worker.pod, let node = stack.nodes.first(where: { pod.hasPrefix("\($0)-") })
        else { throw ClusterError("\(actor.ref) is on no known node") }
        return node
    }

    /// Has both run, each on a node of its own: what the story needs, while the placement is random.
    func settleApart(_ first: String, _ second: String) async throws {
        _ = try await chat(first)
        _ = try await chat(second)
        while try node(of: try await actor(first)) == node(of: try await actor(second)) {
            try await atectl("suspend", "actor", second)
            _ = try await chat(second)
        }
    }
}
