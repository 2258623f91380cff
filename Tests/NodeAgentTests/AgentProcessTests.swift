import Etcd
import Foundation
import GRPC
import Glibc
import LocalCluster
import NodeAgent
import Processes
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// `atelet` as a process that is stopped, continued and killed, with a real actor.
@Suite struct AgentProcessTests {
    let fixture: StoreFixture
    let files = TemporaryDirectory()
    let worker: WorkerRef

    init() async throws {
        fixture = try await StoreFixture(TestEtcd.store())
        worker = fixture.workerRef("node-0")
    }

    /// The actors are frozen 5 s after the last renewal, and etcd takes the workers away another 5 s later.
    private func startAgent() async throws -> LocalProcess {
        try await LocalProcess.start(
            "atelet", WatchdogTests.atelet,
            [
                "--pool", "\(fixture.pool.ref)", "--node-name", "node", "--workers", "1",
                "--state-dir", "\(files.path)/state", "--snapshot-dir", "\(files.path)/snapshots",
                "--actor-address", "127.77.1.1", "--actor-port", "\(try FreePort.find())",
                "--etcd-endpoints", try await TestEtcd.server().endpoint, "--etcd-root", fixture.store.keys.root,
                "--lease-ttl", "10s", "--lease-margin", "5s",
            ], logs: "\(files.path)/logs")
    }

    private func presence(after other: Incarnation? = nil) async throws -> Stored<Presence> {
        try await eventualValue("the worker is offered") {
            guard let presence = try await fixture.store.presence(of: worker), presence.incarnation != other else {
                return nil
            }
            return presence
        }
    }

    private func start(_ name: String, _ presence: Stored<Presence>) async throws -> Claim {
        _ = try await fixture.createActor(name)
        let claim = try await fixture.resuming(
            name, on: StoreFixture.Worker(ref: worker, presence: presence, lease: LeaseID(1)))
        let workload = Workload(
            actor: fixture.ref(name), actorUID: "uid-\(name)", template: fixture.template.ref,
            containers: [Container(name: "main", command: ["/bin/sh", "-c", "setsid sleep 600 & sleep 600"])])
        let receipt = try await Channel(target: presence.value.agentAddress, credentials: .insecure).call(
            NodeMethods.run, RunRequest(workerUID: presence.value.uid, workload: workload),
            metadata: claim.fences.metadata, timeout: .seconds(20)
        ).receipt
        #expect(receipt.state == .running)
        return claim
    }

    /// By the directory that the claim's start was given.
    private func states(_ claim: Claim) -> [Character] {
        processStates("ATE_DURABLE_DIR=\(files.path)/state/workers/node-0/\(claim.binding.epoch)/durable").map(\.state)
    }

    private func isFrozen(_ claim: Claim) -> Bool {
        let states = states(claim)
        return states.count == 3 && states.allSatisfy { $0 == "T" }
    }

    private func lease() async throws -> LeaseID {
        let pairs = try await fixture.store.etcd.range(.key(fixture.store.keys.live(worker))).pairs
        return try #require(pairs.first?.lease)
    }

    @Test func theActorsOfAStoppedAgentAreFrozenWhileItsLeaseLivesAndGoOnWithIt() async throws {
        let agent = try await startAgent()
        let before = try await presence()
        let claim = try await start("alice", before)
        try await eventually("all of it runs") { states(claim).count == 3 }
        let lease = try await lease()
        agent.process.signal(SIGSTOP)
        try await eventually("it is frozen") { isFrozen(claim) }
        // Nobody can have been given the actor yet.
        #expect(try await fixture.store.presence(of: worker) == before)
        // The lease lives on, as it does when etcd has a new leader.
        try await fixture.store.etcd.keepAlive(lease, within: .seconds(5))
        agent.process.signal(SIGCONT)
        try await eventually("it goes on") { states(claim).count == 3 && !states(claim).contains("T") }
        #expect(try await fixture.store.presence(of: worker) == before)

        agent.process.signal(SIGSTOP)
        try await eventually("a second expiry is not missed") { isFrozen(claim) }
        try await fixture.store.etcd.revoke(lease)
        agent.process.signal(SIGCONT)
        try await eventually("it is killed, since the lease is gone") { states(claim).isEmpty }
        _ = try await presence(after: before.incarnation)
        await agent.process.killAndWait()
    }

    @Test func theActorsOfADeadAgentAreKilledBeforeItsLeaseCanHaveExpired() async throws {
        let agent = try await startAgent()
        let before = try await presence()
        let claim = try await start("alice", before)
        try await eventually("all of it runs") { states(claim).count == 3 }
        await agent.process.killAndWait()
        try await eventually("it is dead") { states(claim).isEmpty }
        #expect(try await fixture.store.presence(of: worker) == before)
    }
}
