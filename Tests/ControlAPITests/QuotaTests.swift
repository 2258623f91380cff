import ControlAPI
import ControlPlane
import GRPC
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

/// What an atespace may have.
@Suite struct QuotaTests {
    private func run(_ quotas: Quotas, _ body: @Sendable (APIHarness) async throws -> Void) async throws {
        var options = TestCluster.impatient
        options.quotas = quotas
        let cluster = try await TestCluster(TestEtcd.store(), options: options)
        try await APIHarness.run(on: cluster, workers: 3, options: .init()) { api in
            _ = try await api.call(ControlMethods.createAtespace, AtespaceRequest(name: "other"))
            try await body(api)
        }
    }

    private func creation(_ name: String, in atespace: String, _ api: APIHarness) -> CreateActorRequest {
        CreateActorRequest(actor: ActorRef(atespace: atespace, name: name), template: api.fixture.template.ref)
    }

    @Test func anAtespaceHasNoMoreActorsThanItMay() async throws {
        var quotas = Quotas()
        quotas.actors = 2
        try await run(quotas) { api in
            for name in ["a", "b"] {
                _ = try await api.call(ControlMethods.createActor, creation(name, in: "default", api))
            }
            await api.expect(
                .resourceExhausted, "atespace default has 2 actors, and may have 2", ControlMethods.createActor,
                creation("c", in: "default", api))
            _ = try await api.call(ControlMethods.createActor, creation("c", in: "other", api))
            _ = try await api.call(
                ControlMethods.deleteActor, DeleteActorRequest(actor: ActorRef(atespace: "default", name: "a")))
            _ = try await api.call(ControlMethods.createActor, creation("c", in: "default", api))
        }
    }

    @Test func anAtespaceHasNoMoreActorsOnWorkersThanItMay() async throws {
        var quotas = Quotas()
        quotas.running = 1
        try await run(quotas) { api in
            for name in ["a", "b"] {
                _ = try await api.call(ControlMethods.createActor, creation(name, in: "default", api))
            }
            _ = try await api.call(ControlMethods.createActor, creation("a", in: "other", api))
            func resume(_ name: String, in atespace: String) -> ResumeActorRequest {
                ResumeActorRequest(actor: ActorRef(atespace: atespace, name: name))
            }
            _ = try await api.call(ControlMethods.resumeActor, resume("a", in: "default"))
            await api.expect(
                .resourceExhausted,
                "atespace default has 1 actors on workers, and may have 1 at a time; suspend one first",
                ControlMethods.resumeActor, resume("b", in: "default"))
            _ = try await api.call(ControlMethods.resumeActor, resume("a", in: "default"))
            _ = try await api.call(ControlMethods.resumeActor, resume("a", in: "other"))
            _ = try await api.call(
                ControlMethods.suspendActor, SuspendActorRequest(actor: ActorRef(atespace: "default", name: "a")))
            _ = try await api.call(ControlMethods.resumeActor, resume("b", in: "default"))
        }
    }
}
