import ControlAPI
import GRPC
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@Suite struct DebugClearTests {
    @Test func itIsRefusedUnlessItIsSwitchedOn() async throws {
        try await APIHarness.run { api in
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            await api.expect(
                .permissionDenied, "DebugClear is switched off; start ateapi with --enable-debug to allow it",
                ControlMethods.debugClear, EmptyRequest())
            #expect(try await api.call(ControlMethods.listActors, ListActorsRequest()).actors.count == 1)
        }
    }

    @Test func everyActorGoesAndItsWorkerIsFreeAgain() async throws {
        var options = ControlServiceOptions()
        options.allowsDebugClear = true
        try await APIHarness.run(workers: 1, options: options) { api in
            _ = try await api.call(ControlMethods.createAtespace, AtespaceRequest(name: "other"))
            for name in ["alice", "bob"] { _ = try await api.call(ControlMethods.createActor, api.creation(name)) }
            _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
            _ = try await api.call(ControlMethods.debugClear, EmptyRequest())
            #expect(try await api.call(ControlMethods.listActors, ListActorsRequest()).actors.isEmpty)
            #expect(try await api.call(ControlMethods.listAtespaces, EmptyRequest()).names == ["default"])
            try await eventually("the worker that held alice is registered anew") {
                let workers = try await api.call(ControlMethods.listWorkers, EmptyRequest()).workers
                return workers.count == 1 && workers[0].actor == nil && !workers[0].uid.isEmpty
            }
            // Whoever comes next finds no trace.
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            let resumed = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
            #expect(resumed.actor.status == .running)
        }
    }
}
