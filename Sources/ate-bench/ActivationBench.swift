import Foundation
import GRPC
import HTTP
import LocalCluster
import Processes
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit

/// From a request for a suspended actor, at the router, to its answer, with the whole system and gVisor; and where the time
/// goes, by what the programs themselves have logged of the same activations.
enum ActivationBench {
    private static let runs = 100
    /// What the control plane may take, and the whole as a multiple of what runsc takes for the same restores.
    private static let goals = (controlPlane: Duration.milliseconds(10), ratio: 1.2)

    /// The parts of each activation.
    private struct Parts {
        var whole = Samples()
        var controlPlane = Samples()
        /// The node's part, in which runsc's is.
        var node = Samples()
        var runsc = Samples()
        /// From the resume's end to the answer's: the router's, and the actor's.
        var response = Samples()
    }

    @Sendable static func run(_ options: BenchOptions) async throws {
        let directory = TemporaryDirectory()
        let stack = try await LocalStack.start(
            LocalStack.Shape(runtime: .gvisor), directory: directory.path, programs: BenchSystem.programs,
            addressBlock: 1 + Int(getpid()) % 200)
        do {
            show(try await measure(stack))
        } catch {
            await uncancelled { await stack.stop() }
            throw error
        }
        await stack.stop()
    }

    private static func measure(_ stack: LocalStack) async throws -> Parts {
        let created = [
            ["apply", "-f", try stack.manifest(of: "examples/helpdesk.yaml")],
            ["create", "actor", "alice", "--template", "default/helpdesk"],
        ]
        for arguments in created {
            let (output, status) = try await stack.atectl(arguments)
            guard status == .exited(code: 0) else { throw ClusterError("atectl \(arguments[0]): \(output)") }
        }
        // Its first start is no restore.
        _ = try await ask(stack)
        var wholes: [Duration] = []
        for _ in 0..<runs {
            let ref = ActorRef(atespace: Atespace.defaultName, name: "alice")
            _ = try await stack.channel.call(
                ControlMethods.suspendActor, SuspendActorRequest(actor: ref), timeout: .seconds(60))
            wholes.append(try await ask(stack))
        }
        return try parts(of: wholes, stack)
    }

    private static func ask(_ stack: LocalStack) async throws -> Duration {
        let begun = ContinuousClock.now
        let response = try await HTTPClient.send(
            "GET", "http://\(stack.routerAddress)/readyz",
            headers: ["Host": "alice.actors.resources.substrate.ate.dev"], timeout: .seconds(60))
        guard response.status == 200 else { throw ClusterError("alice answers \(response.status): \(response.text)") }
        return .now - begun
    }

    /// Takes the last so many of what was logged: there was nobody else.
    private static func parts(of wholes: [Duration], _ stack: LocalStack) throws -> Parts {
        let resumes = try lines(of: ["ateapi"], stack) { $0.method?.hasSuffix("/ResumeActor") == true }
        let nodes = stack.nodes.map { "atelet-\($0)" }
        let restores = try lines(of: nodes, stack) { $0.method?.hasSuffix("/Restore") == true }
        let sandboxes = try lines(of: nodes, stack) { $0.msg == "a sandbox has become ready" }
        var parts = Parts()
        for (index, whole) in wholes.enumerated() {
            let (resume, restore, sandbox) = (resumes[index], restores[index], sandboxes[index])
            parts.whole.add(whole)
            parts.controlPlane.add(resume - restore)
            parts.node.add(restore)
            parts.runsc.add(sandbox)
            parts.response.add(whole - resume)
        }
        return parts
    }

    /// What a line of a program's log says, as far as it concerns us.
    private struct Line: Decodable {
        var msg: String?
        var method: String?
        var time: String
        var ms: Double?
    }

    private static func lines(
        of names: [String], _ stack: LocalStack, where isWanted: (Line) -> Bool
    ) throws -> [Duration] {
        let all = try names.flatMap { name in
            try String(contentsOfFile: "\(stack.directory)/logs/\(name).log", encoding: .utf8).split(separator: "\n")
                .compactMap { try? JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        }
        let wanted = all.filter(isWanted).sorted { $0.time < $1.time }.suffix(runs).compactMap(\.ms)
        guard wanted.count == runs else {
            throw ClusterError("the logs tell of \(wanted.count) activations, not of \(runs)")
        }
        return wanted.map { .microseconds(Int64($0 * 1000)) }
    }

    private static func show(_ parts: Parts) {
        Report.header(
            "activation: a request at the router for a suspended actor in gVisor, to its answer; \(runs) runs",
            ["", "p50", "p95", "p99", "goal"])
        func row(_ name: String, _ samples: Samples, _ goal: String = "") {
            Report.row([name] + [0.5, 0.95, 0.99].map { samples.quantile($0).milliseconds } + [goal])
        }
        row("whole", parts.whole)
        row("control plane", parts.controlPlane, "p50 \(goals.controlPlane.milliseconds)")
        row("node", parts.node)
        row("of it runsc", parts.runsc)
        row("response", parts.response)
        let ratio: Double = parts.whole.quantile(0.95) / parts.runsc.quantile(0.95)
        Report.row(["whole/runsc", "", ratio.digits(2), "", goals.ratio.digits(1)])
    }
}
