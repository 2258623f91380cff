import ControlPlane
import Etcd
import GRPC
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Where actors are said to listen: the address of the activation, and of no other.
@Suite struct ActorAddressTests {
    let cluster: TestCluster

    init() async throws { cluster = try await TestCluster(TestEtcd.store()) }

    private var control: ControlPlane { cluster.control }
    private var fixture: StoreFixture { cluster.fixture }

    private func resume(_ name: String) async throws -> ActorAddress {
        let actor = try await control.resumeActor(fixture.ref(name))
        let assignment = try #require(actor.value.state.assignment)
        // The binding says the same, for those who list workers.
        #expect(try await fixture.store.binding(of: assignment.worker)?.value.address == assignment.address)
        return try #require(assignment.address)
    }

    @Test func anActorHasTheAddressThatItWasStartedWithAndNoneBefore() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            let seen = Flag()
            let (store, ref) = (fixture.store, fixture.ref("alice"))
            node.runtime.beforeStart { _ in
                let state = try await store.actor(ref)?.value.state
                #expect(state?.status == .resuming && state?.assignment?.address == nil)
                seen.set()
            }
            let address = try await resume("alice")
            #expect(seen.isSet && node.runtime.addresses == [address])
        }
    }

    @Test func eachActivationHasAnAddressOfItsOwn() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 2)
            var given: [ActorAddress] = []
            for name in ["alice", "bob"] { _ = try await fixture.createActor(name) }
            for _ in 0..<5 {
                for name in ["alice", "bob"] { given.append(try await resume(name)) }
                for name in ["alice", "bob"] { _ = try await control.suspendActor(fixture.ref(name)) }
            }
            #expect(Set(given).count == 10 && given == node.runtime.addresses)
        }
    }

    @Test func anActorThatGoesOnAfterAFailedSuspendKeepsItsAddress() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            _ = try await fixture.createActor("alice")
            let address = try await resume("alice")
            node.runtime.failCheckpoints(with: RuntimeFailure(.internal, "the disk is full"))
            await #expect(throws: ControlError.self) { try await control.suspendActor(fixture.ref("alice")) }
            let actor = try await fixture.current("alice").value
            #expect(actor.status == .running && actor.state.assignment?.address == address)
        }
    }

    @Test func whoAdoptsAnActorAsksItsNodeForTheAddress() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1)
            let slot = try #require(node.slots.all.first)
            let actor = try await fixture.createActor("alice")
            let lease = try await fixture.lease()
            let claim = try await fixture.store.claim(
                fixture.ref("alice"), actor, worker: slot.ref, presence: slot.presence,
                operation: fixture.operation(.resume), lease: lease)
            let workload = Workload(
                actor: fixture.ref("alice"), actorUID: actor.value.uid, template: fixture.template.ref,
                containers: fixture.template.containers)
            let receipt = try await slot.start(workload, from: nil, claim.fences)
            // Its replica dies before it has written anything down.
            try await fixture.store.etcd.revoke(lease)
            let address = try await eventualValue("alice runs") {
                let actor = try await fixture.current("alice").value
                return actor.status == .running ? actor.state.assignment?.address : nil
            }
            #expect(address == receipt.address && node.runtime.addresses == [address])
        }
    }

    /// Whose runs have three addresses each.
    private var small: AddressRange { get throws { try #require(AddressRange(subnet: "10.2.0.0/26", port: 80)) } }

    @Test func aNodeThatHasNoAddressLeftOffersNoWorkerAndOthersDo() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1, addresses: small)
            _ = try await fixture.createActor("alice")
            for _ in 0..<3 {
                _ = try await resume("alice")
                _ = try await control.suspendActor(fixture.ref("alice"))
            }
            await #expect(throws: ControlError.self) { try await resume("alice") }
            try await eventually("the node says so") {
                cluster.log.lines.contains { line in
                    line.message.hasPrefix("could not start an actor")
                        && line.fields.contains { $0.1.text().contains("the node has no address for an actor") }
                }
            }
            try await eventually("its worker is not offered") { node.slots.all.isEmpty }
            try await eventually("alice is where she was") {
                try await fixture.current("alice").value.state == .suspended
            }
            let other = try await cluster.addNode("other", workers: 1)
            _ = try await resume("alice")
            #expect(other.runtime.running.count == 1)
        }
    }

    @Test func aStartThatIsRefusedFreesNoAddress() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 1, addresses: small)
            let slot = try #require(node.slots.all.first)
            var given: [ActorAddress] = []
            for name in ["alice", "bob", "carol"] {
                _ = try await fixture.createActor(name)
                given.append(try await resume(name))
                let binding = try #require(try await fixture.store.binding(of: slot.ref))
                _ = try await control.suspendActor(fixture.ref(name))
                // A late call, for a claim that does not stand.
                let workload = Workload(
                    actor: fixture.ref(name), actorUID: "uid-\(name)", template: fixture.template.ref,
                    containers: fixture.template.containers)
                let fences = Fences(
                    incarnation: slot.presence.incarnation, epoch: Epoch(binding.epoch.revision + 1),
                    operation: OperationToken(binding.modRevision + 1))
                await #expect(throws: NodeFailure.self) { try await slot.start(workload, from: nil, fences) }
            }
            #expect(Set(given).count == 3)
            // All three rest, so there is none that dave could have.
            _ = try await fixture.createActor("dave")
            await #expect(throws: ControlError.self) { try await resume("dave") }
        }
    }
}
