import Etcd
import Foundation
import Glibc
import LocalCluster
import Processes
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@testable import NodeAgent

/// The agent as a process, stopped by signals, with a process as its actor and no control plane.
@Suite(.timeLimit(.minutes(2))) struct DrainProcessTests {
    let files = TemporaryDirectory()
    let fixture: StoreFixture

    init() async throws { fixture = try await StoreFixture(TestEtcd.store()) }

    private static var atelet: String {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("atelet").path
    }

    /// Runs `body` beside an agent whose worker has an actor that runs.
    private func withAgent(
        grace: String, _ body: (LocalProcess, Claim) async throws -> Void
    ) async throws {
        let etcd = try await TestEtcd.server()
        let agent = try await LocalProcess.start(
            "atelet", Self.atelet,
            [
                "--pool", "default/pool", "--node-name", "node", "--workers", "1", "--runtime", "process",
                "--state-dir", "\(files.path)/state", "--status-listen-addr", "none",
                "--snapshot-dir", "\(files.path)/snapshots", "--actor-addresses", "127.66.0.0/16", "--etcd-endpoints",
                etcd.endpoint, "--etcd-root", fixture.store.keys.root, "--drain-grace", grace,
            ], logs: files.path)
        do {
            let presence = try await eventualValue("the worker is there") {
                try await fixture.store.presence(of: fixture.workerRef("node-0"))
            }
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming(
                "alice",
                on: StoreFixture.Worker(ref: fixture.workerRef("node-0"), presence: presence, lease: LeaseID(1)))
            var workload = Workload(
                actor: fixture.ref("alice"), actorUID: "uid-alice", template: fixture.template.ref, containers: [])
            workload.containers = [Container(name: "main", command: ["/bin/sleep", "600"])]
            let receipt = try await NodeChannels().call(
                NodeMethods.run, RunRequest(workerUID: presence.value.uid, workload: workload), claim.fences,
                at: presence.value.agentAddress, timeout: .seconds(20)
            ).receipt
            #expect(receipt.state == .running)
            _ = try await fixture.store.confirmRunning(claim, at: fixture.address)
            try await body(agent, claim)
        } catch {
            await agent.process.killAndWait()
            throw error
        }
        await agent.process.killAndWait()
    }

    private func expectEnd(of agent: LocalProcess, _ claim: Claim) async throws {
        try await eventually("the agent ends") { agent.process.exitStatus != nil }
        #expect(agent.process.exitStatus == .exited(code: 0), "\(agent.lastLines)")
        // At once, rather than when the lease has run out.
        #expect(try await fixture.store.presence(of: claim.worker) == nil)
        #expect(try await fixture.store.binding(of: claim.worker) != nil)
        let directory = try String(contentsOfFile: "\(files.path)/state/directory-id", encoding: .utf8)
        #expect(ProcessTable.signal(SIGCONT, ProcessMark.directory(id: directory)) == 0)
    }

    @Test func sigtermWithoutAControlPlaneEndsByTheGracePeriod() async throws {
        try await withAgent(grace: "500ms") { agent, claim in
            agent.process.signal(SIGTERM)
            try await expectEnd(of: agent, claim)
        }
    }

    @Test func aSecondSignalKillsAtOnce() async throws {
        try await withAgent(grace: "1h") { agent, claim in
            agent.process.signal(SIGTERM)
            try await eventually("the worker drains") {
                try await fixture.store.presence(of: claim.worker)?.value.isDraining == true
            }
            #expect(agent.process.exitStatus == nil)
            agent.process.signal(SIGTERM)
            try await expectEnd(of: agent, claim)
        }
    }
}
