import GRPC
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// A length-delimited field.
private func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
private func field(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

/// `PauseActor` over real gRPC: codes, texts, and what of a pause is on the wire.
@Suite struct PauseActorTests {
    private func pause(_ api: APIHarness, _ name: String, in atespace: String = "default") -> PauseActorRequest {
        PauseActorRequest(actor: api.actor(name, in: atespace))
    }

    @Test func whatDoesNotFollowFromTheStateIsRefusedAndWhatIsSoAlreadyIsASuccess() async throws {
        try await APIHarness.run(workers: 1) { api in
            let rpc = ControlMethods.pauseActor
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            await api.expect(
                .failedPrecondition, "Actor alice is suspended; resume it first", rpc, pause(api, "alice"))
            _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
            let paused = try await api.call(rpc, pause(api, "alice")).actor
            #expect(paused.status == .paused && paused.assignment == nil && paused.inProgressSnapshot == nil)
            #expect(try await api.call(rpc, pause(api, "alice")).actor == paused)
            await api.expect(
                .failedPrecondition, "Actor alice is paused; resume it first", ControlMethods.suspendActor,
                SuspendActorRequest(actor: api.actor("alice")))
            await api.expect(
                .failedPrecondition, "Actor alice is not suspended (status: STATUS_PAUSED)",
                ControlMethods.deleteActor, DeleteActorRequest(actor: api.actor("alice")))
            let resume = ResumeActorRequest(actor: api.actor("alice"))
            let running = try await api.call(ControlMethods.resumeActor, resume).actor
            #expect(running.status == .running && running.localSnapshot == nil)
            #expect(try await api.call(ControlMethods.resumeActor, resume).actor == running)
            // Its node is full: no other will do.
            _ = try await api.call(rpc, pause(api, "alice"))
            _ = try await api.call(ControlMethods.createActor, api.creation("bob"))
            _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("bob")))
            _ = try await api.cluster.addNode("other", workers: 2)
            await api.expect(
                .failedPrecondition, "no free workers available", ControlMethods.resumeActor, resume)
        }
    }

    @Test func aSecondOperationOnAnActorIsAborted() async throws {
        try await APIHarness.run { api in
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
            let gate = Gate()
            api.cluster.nodes.beforeCall { name, _ throws(NodeFailure) in
                if name == "checkpoint" { await gate.pass() }
            }
            let request = pause(api, "alice")
            let first = Task { try await api.call(ControlMethods.pauseActor, request) }
            try await gate.waitForArrival()
            let pausing = try await api.call(ControlMethods.getActor, GetActorRequest(actor: api.actor("alice"))).actor
            #expect(pausing.status == .pausing && pausing.inProgressSnapshot?.hasPrefix("uid-") == false)
            #expect(pausing.inProgressSnapshot.flatMap { LocalSnapshotName($0) } != nil)
            let message = "another operation is in progress for this actor"
            await api.expect(.aborted, message, ControlMethods.pauseActor, request)
            await api.expect(
                .aborted, message, ControlMethods.suspendActor, SuspendActorRequest(actor: api.actor("alice")))
            await api.expect(
                .aborted, message, ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
            await api.expect(
                .failedPrecondition, "Actor alice is not suspended (status: STATUS_PAUSING)",
                ControlMethods.deleteActor, DeleteActorRequest(actor: api.actor("alice")))
            gate.open()
            #expect(try await first.value.actor.status == .paused)
        }
    }

    /// Made by hand from the tables of the wire contract, not by our own encoder.
    @Test func theWireShowsTheLocalSnapshotAndItsNodesBesideTheExternalOne() async throws {
        try await APIHarness.run { api in
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            for name in ["ResumeActor", "SuspendActor", "ResumeActor"] {
                _ = try await api.call("/ateapi.Control/\(name)", field(1, "alice"))
            }
            let bytes = try await api.call("/ateapi.Control/PauseActor", field(1, "alice"))
            let stored = try await api.fixture.current("alice").value
            let local = try #require(stored.localSnapshot)
            let external = try #require(stored.lastSnapshot)
            // Type LOCAL, and the oneof's field 3: prefix and nodes.
            let info = [8, 1] + field(3, field(1, local.name.text) + field(2, "node"))
            #expect(bytes.firstRange(of: field(12, info)) != nil)
            #expect(bytes.firstRange(of: field(9, external.text)) != nil)
            // Status, field 5: PAUSED is 6. No worker.
            #expect(bytes.firstRange(of: [5 << 3, 6]) != nil)
            #expect(bytes.firstRange(of: field(7, "node-0")) == nil)
            let listed = try await api.call(ControlMethods.listActors, ListActorsRequest()).actors
            #expect(listed.map(\.status) == [.paused])
            #expect(listed.first?.localSnapshot == LocalSnapshotInfo(prefix: local.name.text, nodes: ["node"]))
            #expect(listed.first?.lastSnapshot == external)
        }
    }
}
