import Etcd
import Foundation
import GRPC
import Glibc
import LocalCluster
import Processes
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@testable import NodeAgent

/// `atelet` killed at each of its steps: each time that it is about to change something on the disk, or to start a program.
/// With SUBSTRATE_FULL_TESTS=1.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] == "1"))
struct FullKilledAgentTests {
    @Test(arguments: [SandboxClass.process, .gvisor])
    func killedAtAnyStepOfARunItLeavesNothing(_ sandboxClass: SandboxClass) async throws {
        guard let agent = try await KilledAgent.unlessImpossible(sandboxClass) else { return }
        let steps = try await agent.killAtEachStep {
            _ = try await agent.claim()
        } of: {
            try await agent.start(from: nil)
        }
        #expect(steps >= 3)
        try await agent.end()
    }

    @Test(arguments: [SandboxClass.process, .gvisor])
    func killedAtAnyStepOfACheckpointItLeavesASnapshotThatIsWholeOrNone(_ sandboxClass: SandboxClass) async throws {
        guard let agent = try await KilledAgent.unlessImpossible(sandboxClass) else { return }
        let steps = try await agent.killAtEachStep {
            try await agent.claim()
            try await agent.start(from: nil)
        } of: {
            try await agent.checkpoint()
        }
        #expect(steps > 10)
        try await agent.end()
    }

    @Test(arguments: [SandboxClass.process, .gvisor])
    func killedAtAnyStepOfARestoreItLeavesNothingAndTheSnapshot(_ sandboxClass: SandboxClass) async throws {
        guard let agent = try await KilledAgent.unlessImpossible(sandboxClass) else { return }
        try await agent.claim()
        try await agent.start(from: nil)
        let snapshot = try await agent.checkpoint()
        try await agent.giveUpClaim()
        let steps = try await agent.killAtEachStep {
            try await agent.claim()
        } of: {
            try await agent.start(from: snapshot)
        }
        #expect(steps >= 3)
        try await agent.end()
    }
}

/// An agent that is killed and started again, and what there is of it on the machine. The test does what the control plane
/// does.
private final class KilledAgent {
    private let files = TemporaryDirectory()
    private let fixture: StoreFixture
    private let worker: WorkerRef
    private let sandboxClass: SandboxClass
    private let subnet: String
    private let port: Int
    private let control: UnsafeMutablePointer<Int64>
    private var agent: LocalProcess?
    private var presence: Stored<Presence>?
    private var claimed: Claim?
    private var number = 0

    /// With one agent running; nil where there can be none of the class.
    static func unlessImpossible(_ sandboxClass: SandboxClass) async throws -> KilledAgent? {
        if sandboxClass == .gvisor, GVisorFixture.obstacle != nil { return nil }
        let agent = try await KilledAgent(sandboxClass)
        try await agent.startAgent()
        return agent
    }

    private init(_ sandboxClass: SandboxClass) async throws {
        self.sandboxClass = sandboxClass
        fixture = try await StoreFixture(TestEtcd.store())
        worker = fixture.workerRef("node-0")
        // As GVisorFixture has it.
        subnet =
            sandboxClass == .process
            ? "127.78.0.0/16" : "198.\(Int.random(in: 18...19)).\(Int.random(in: 0...255)).0/24"
        port = try FreePort.find()
        let file = open("\(files.path)/control", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(file) }
        guard ftruncate(file, 16) == 0,
            let memory = mmap(nil, 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), memory != MAP_FAILED
        else { throw DidNotHappen(description: "mapping the file with the number of steps") }
        control = memory.bindMemory(to: Int64.self, capacity: 2)
    }

    deinit { munmap(control, 16) }

    private static let library = URL(fileURLWithPath: WatchdogTests.atelet).deletingLastPathComponent()
        .appendingPathComponent("libKillAtStep.so").path

    private func startAgent() async throws {
        let before = presence?.incarnation
        agent = try await LocalProcess.start(
            "atelet", WatchdogTests.atelet,
            [
                "--pool", "\(fixture.pool.ref)", "--node-name", "node", "--workers", "1",
                "--runtime", sandboxClass.rawValue, "--state-dir", "\(files.path)/state",
                "--snapshot-dir", "\(files.path)/snapshots", "--actor-addresses", subnet, "--actor-port", "\(port)",
                // It is started more often than addresses could rest.
                "--address-rest", "1ms", "--etcd-endpoints", try await TestEtcd.server().endpoint,
                "--etcd-root", fixture.store.keys.root, "--status-listen-addr", "none",
            ], logs: "\(files.path)/logs",
            environment: ProcessInfo.processInfo.environment.merging([
                "LD_PRELOAD": Self.library, "KILL_AT_STEP": "\(files.path)/control",
            ]) { $1 })
        presence = try await eventualValue("the worker is offered", within: .seconds(30)) { [fixture, worker] in
            guard let presence = try await fixture.store.presence(of: worker), presence.incarnation != before else {
                return nil
            }
            return presence
        }
    }

    func end() async throws {
        await agent?.process.killAndWait()
        if sandboxClass == .gvisor {
            let clear = try await ChildProcess.start(
                Command(
                    WatchdogTests.atelet, ["clear", "\(files.path)/state", subnet],
                    environment: ProcessInfo.processInfo.environment))
            #expect(await clear.wait() == .exited(code: 0))
        }
    }

    /// - Parameters:
    ///   - prepare: brings the worker to where the operation can begin.
    ///   - operation: in which it is killed, at the first step, the second, and so on until it ends before it gets there.
    /// - Returns: how many steps there were.
    func killAtEachStep(
        _ prepare: () async throws -> Void, of operation: () async throws -> some Any
    ) async throws -> Int64 {
        let nothing = try traces()
        var step: Int64 = 1
        while true {
            try await prepare()
            control[1] = 0
            control[0] = step
            let failure: (any Error)?
            do {
                _ = try await operation()
                failure = nil
            } catch { failure = error }
            control[0] = 0
            let process = try #require(agent).process
            if failure == nil, process.exitStatus == nil { return step - 1 }
            // What failed without it has been killed is a failure of the test.
            let status = try await eventualValue("it is killed at step \(step), after \(String(describing: failure))") {
                process.exitStatus
            }
            #expect(status == .killed(signal: Int(SIGKILL)))
            try expectNoHalfSnapshot()
            try await startAgent()
            #expect(try traces() == nothing, "step \(step)")
            try await giveUpClaim()
            step += 1
        }
    }

    // MARK: What the control plane does

    @discardableResult
    func claim() async throws -> Claim {
        guard let presence else { throw DidNotHappen(description: "a worker that is offered") }
        number += 1
        _ = try await fixture.createActor("actor-\(number)")
        let claim = try await fixture.resuming(
            "actor-\(number)", on: StoreFixture.Worker(ref: worker, presence: presence, lease: LeaseID(1)))
        claimed = claim
        return claim
    }

    func giveUpClaim() async throws {
        claimed = nil
        _ = try await fixture.store.etcd.transaction(Transaction().then(.delete(fixture.store.keys.bound(worker))))
    }

    private var workload: Workload {
        let command =
            sandboxClass == .gvisor
            ? ["/usr/bin/python3", "-c", GVisorFixture.actor]
            : [
                URL(fileURLWithPath: WatchdogTests.atelet).deletingLastPathComponent().appendingPathComponent("counter")
                    .path
            ]
        return Workload(
            actor: fixture.ref("actor-\(number)"), actorUID: "uid-actor-\(number)", template: fixture.template.ref,
            containers: [
                Container(
                    name: "main", command: command, readiness: Container.Readiness(path: "/readyz", port: port))
            ])
    }

    private var content: SnapshotContent { sandboxClass == .gvisor ? .full : .data }

    private func call<Request, Response>(
        _ method: RPC<Request, Response>, _ request: (_ workerUID: String) -> Request, _ fences: Fences
    ) async throws -> Response {
        guard let presence else { throw DidNotHappen(description: "a worker that is offered") }
        return try await Channel(target: presence.value.agentAddress, credentials: .insecure).call(
            method, request(presence.value.uid), metadata: fences.metadata, timeout: .seconds(30))
    }

    func start(from snapshot: SnapshotURI?) async throws {
        let fences = try #require(claimed).fences
        let receipt =
            if let snapshot {
                try await call(
                    NodeMethods.restore,
                    { [workload, content] in
                        RestoreRequest(
                            workerUID: $0, workload: workload, snapshot: .external(snapshot), content: content)
                    }, fences
                ).receipt
            } else {
                try await call(
                    NodeMethods.run, { [workload] in RunRequest(workerUID: $0, workload: workload) }, fences
                ).receipt
            }
        #expect(receipt.state == .running)
    }

    func checkpoint() async throws -> SnapshotURI {
        let fences = try #require(claimed).fences
        let snapshot = SnapshotURI("file://\(files.path)/snapshots/uid-actor-\(number)/a")
        let receipt = try await call(
            NodeMethods.checkpoint,
            { [workload, content] in
                CheckpointRequest(
                    workerUID: $0, workload: workload, snapshot: .external(snapshot), content: content)
            }, fences
        ).receipt
        #expect(receipt.state == .checkpointed(.external(snapshot)))
        return snapshot
    }

    // MARK: What there is on the machine

    /// Under its own name a snapshot is whole, and under its temporary one it is removed when the control plane says so.
    private func expectNoHalfSnapshot() throws {
        let snapshots = SnapshotDirectory(root: "\(files.path)/snapshots")
        for path in FileManager.default.subpaths(atPath: snapshots.root) ?? [] {
            let parts = path.split(separator: "/").map(String.init)
            guard parts.count == 2 else { continue }
            let name = parts[1].hasPrefix(".") ? String(parts[1].dropFirst().prefix { $0 != "." }) : parts[1]
            let uri = SnapshotURI("file://\(snapshots.root)/\(parts[0])/\(name)")
            if parts[1] == name {
                let place = TemporaryDirectory()
                try snapshots.read(uri, into: place.path)
            } else {
                try snapshots.remove(uri)
                #expect(!FileManager.default.fileExists(atPath: "\(snapshots.root)/\(path)"))
            }
        }
    }

    /// What an agent has on the machine that offers its worker and runs nothing.
    private func traces() throws -> [String] {
        let path = "\(files.path)/state"
        let id = try String(contentsOfFile: "\(path)/directory-id", encoding: .utf8)
        return try GVisorTraces(path: path, id: id).all
    }
}
