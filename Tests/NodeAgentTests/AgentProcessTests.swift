import Etcd
import Foundation
import GRPC
import Glibc
import HTTP
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
    private func startAgent(port: Int? = nil, runtime: String = "process") async throws -> LocalProcess {
        try await LocalProcess.start(
            "atelet", WatchdogTests.atelet,
            [
                "--pool", "\(fixture.pool.ref)", "--node-name", "node", "--workers", "1",
                "--runtime", runtime, "--state-dir", "\(files.path)/state", "--snapshot-dir",
                "\(files.path)/snapshots",
                "--actor-addresses", "127.77.0.0/16", "--actor-port", "\(try port ?? FreePort.find())",
                "--etcd-endpoints", try await TestEtcd.server().endpoint, "--etcd-root", fixture.store.keys.root,
                "--status-listen-addr", "none",
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
        let container = Container(name: "main", command: ["/bin/sh", "-c", "setsid sleep 600 & sleep 600"])
        return try await start(name, container, presence).claim
    }

    /// An actor that answers requests.
    private func startListening(
        _ name: String, _ program: String, _ presence: Stored<Presence>
    ) async throws -> (claim: Claim, address: ActorAddress) {
        let container = Container(
            name: "main", command: [program], readiness: Container.Readiness(path: "/readyz", port: 80))
        return try await start(name, container, presence)
    }

    private func start(
        _ name: String, _ container: Container, _ presence: Stored<Presence>
    ) async throws -> (claim: Claim, address: ActorAddress) {
        _ = try await fixture.createActor(name)
        let claim = try await fixture.resuming(
            name, on: StoreFixture.Worker(ref: worker, presence: presence, lease: LeaseID(1)))
        let workload = Workload(
            actor: fixture.ref(name), actorUID: "uid-\(name)", template: fixture.template.ref,
            containers: [container])
        let receipt = try await Channel(target: presence.value.agentAddress, credentials: .insecure).call(
            NodeMethods.run, RunRequest(workerUID: presence.value.uid, workload: workload),
            metadata: claim.fences.metadata, timeout: .seconds(20)
        ).receipt
        #expect(receipt.state == .running)
        return (claim, try #require(receipt.address))
    }

    /// By the directory that the claim's start was given. The actor has three processes, and what is around it may have some.
    private func states(_ claim: Claim) -> [Character] {
        processStates("ATE_DURABLE_DIR=\(files.path)/state/workers/node-0/\(claim.binding.epoch)/durable").map(\.state)
    }

    private func isFrozen(_ claim: Claim) -> Bool {
        let states = states(claim)
        return states.count >= 3 && states.allSatisfy { $0 == "T" }
    }

    private func lease() async throws -> LeaseID {
        let pairs = try await fixture.store.etcd.range(.key(fixture.store.keys.live(worker))).pairs
        return try #require(pairs.first?.lease)
    }

    /// Where gVisor could be had, too.
    @Test func anAgentThatMayChooseGoesByTheAddressesThatItIsGiven() async throws {
        let agent = try await startAgent(runtime: "auto")
        #expect(try await presence().value.sandboxClass == .process)
        await agent.process.killAndWait()
    }

    @Test func theActorsOfAStoppedAgentAreFrozenWhileItsLeaseLivesAndGoOnWithIt() async throws {
        let agent = try await startAgent()
        let before = try await presence()
        let claim = try await start("alice", before)
        try await eventually("all of it runs") { states(claim).count >= 3 }
        let lease = try await lease()
        agent.process.signal(SIGSTOP)
        try await eventually("it is frozen") { isFrozen(claim) }
        // Nobody can have been given the actor yet.
        #expect(try await fixture.store.presence(of: worker) == before)
        // The lease lives on, as it does when etcd has a new leader.
        try await fixture.store.etcd.keepAlive(lease, within: .seconds(5))
        agent.process.signal(SIGCONT)
        try await eventually("it goes on") { states(claim).count >= 3 && !states(claim).contains("T") }
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
        try await eventually("all of it runs") { states(claim).count >= 3 }
        await agent.process.killAndWait()
        try await eventually("it is dead") { states(claim).isEmpty }
        #expect(try await fixture.store.presence(of: worker) == before)
    }

    /// What a client gets at an address; nil when it cannot connect.
    private func get(_ address: ActorAddress) async -> String? {
        let answer = try? await HTTPClient.send("GET", "http://\(address)/", timeout: .seconds(5))
        return answer?.text
    }

    @Test func aLateRequestFailsToConnectInsteadOfReachingAStranger() async throws {
        let counter = URL(filePath: WatchdogTests.atelet).deletingLastPathComponent().appending(path: "counter").path
        let port = try FreePort.find()
        let agent = try await startAgent(port: port)
        let presence = try await presence()
        let alice = try await startListening("alice", counter, presence)
        #expect(await get(alice.address) == "0\n")
        // Alice is suspended, and bob gets her worker.
        let channel = Channel(target: presence.value.agentAddress, credentials: .insecure)
        let stopped = try await channel.call(
            NodeMethods.stop, StopRequest(workerUID: presence.value.uid), metadata: alice.claim.fences.metadata,
            timeout: .seconds(20)
        ).receipt
        #expect(stopped.state == .notRunning)
        _ = try await fixture.store.undoResume(alice.claim)
        let bob = try await startListening("bob", counter, presence)
        #expect(await get(bob.address) == "0\n" && bob.address != alice.address)
        #expect(await get(alice.address) == nil)

        // The agent is restarted: what it runs then is at none of the addresses from before.
        await agent.process.killAndWait()
        _ = try await eventualValue("bob is dead") { await get(bob.address) == nil ? true : nil }
        let again = try await startAgent(port: port)
        let after = try await self.presence(after: presence.incarnation)
        // As the release of bob does, for which there is no control plane here.
        _ = try await fixture.store.etcd.transaction(Transaction().then(.delete(fixture.store.keys.bound(worker))))
        let carol = try await startListening("carol", counter, after)
        #expect(await get(carol.address) == "0\n" && ![alice.address, bob.address].contains(carol.address))
        let late = (await get(alice.address), await get(bob.address))
        #expect(late.0 == nil && late.1 == nil)
        await again.process.killAndWait()
    }
}
