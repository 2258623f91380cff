import GRPC
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@Suite struct AtespaceTests {
    @Test func errors() async throws {
        try await APIHarness.run { api in
            func named(_ name: String) -> AtespaceRequest { AtespaceRequest(name: name) }
            await api.expect(.invalidArgument, "name is required", ControlMethods.createAtespace, named(""))
            await api.expect(
                .invalidArgument, "invalid atespace: must be no more than 63 characters", ControlMethods.createAtespace,
                named(String(repeating: "a", count: 64)))
            await api.expect(.invalidArgument, "name is required", ControlMethods.getAtespace, named(""))
            await api.expect(.notFound, "Atespace x not found", ControlMethods.getAtespace, named("x"))
            await api.expect(.notFound, "Atespace X/Y not found", ControlMethods.getAtespace, named("X/Y"))
            await api.expect(.invalidArgument, "name is required", ControlMethods.deleteAtespace, named(""))
            await api.expect(.notFound, "Atespace x not found", ControlMethods.deleteAtespace, named("x"))
            await api.expect(
                .failedPrecondition, "Atespace default cannot be deleted: it always exists",
                ControlMethods.deleteAtespace, named("default"))
            #expect(try await api.call(ControlMethods.createAtespace, named("team")).name == "team")
            await api.expect(
                .alreadyExists, "Atespace team already exists", ControlMethods.createAtespace, named("team"))
            #expect(try await api.call(ControlMethods.getAtespace, named("team")).name == "team")
            _ = try await api.call(ControlMethods.createActor, api.creation("alice", in: "team"))
            await api.expect(
                .failedPrecondition, "Atespace team is not empty", ControlMethods.deleteAtespace, named("team"))
            #expect(
                try await api.call(ControlMethods.listAtespaces, EmptyRequest()).names == ["default", "team"])
            _ = try await api.call(
                ControlMethods.deleteActor, DeleteActorRequest(actor: api.actor("alice", in: "team")))
            _ = try await api.call(ControlMethods.deleteAtespace, named("team"))
            await api.expect(.notFound, "Atespace team not found", ControlMethods.getAtespace, named("team"))
        }
    }

    @Test func anActorCreatedBetweenTheReadAndTheDeletionKeepsTheAtespace() async throws {
        try await APIHarness.run { api in
            _ = try await api.call(ControlMethods.createAtespace, AtespaceRequest(name: "team"))
            let once = Once()
            api.cluster.etcd.beforeWrite { _ in
                if once.isFirst() {
                    _ = try await api.call(ControlMethods.createActor, api.creation("alice", in: "team"))
                }
            }
            await api.expect(
                .failedPrecondition, "Atespace team is not empty", ControlMethods.deleteAtespace,
                AtespaceRequest(name: "team"))
        }
    }

    @Test func anAtespaceDeletedBetweenTheReadAndTheCreationTakesNoActor() async throws {
        try await APIHarness.run { api in
            _ = try await api.call(ControlMethods.createAtespace, AtespaceRequest(name: "team"))
            let once = Once()
            api.cluster.etcd.beforeWrite { _ in
                if once.isFirst() {
                    _ = try await api.call(ControlMethods.deleteAtespace, AtespaceRequest(name: "team"))
                }
            }
            await api.expect(
                .failedPrecondition, "Atespace team not found", ControlMethods.createActor,
                api.creation("alice", in: "team"))
        }
    }

    @Test func creatingActorsAgainstDeletingTheirAtespaceNeverLeavesOneWithoutTheOther() async throws {
        try await APIHarness.run { api in
            for round in 0..<20 {
                let name = "team-\(round)"
                _ = try await api.call(ControlMethods.createAtespace, AtespaceRequest(name: name))
                let (created, deleted) = await withTaskGroup(of: (String, Bool).self) { group in
                    group.addTask {
                        (
                            "create",
                            (try? await api.call(ControlMethods.createActor, api.creation("alice", in: name))) != nil
                        )
                    }
                    group.addTask {
                        (
                            "delete",
                            (try? await api.call(ControlMethods.deleteAtespace, AtespaceRequest(name: name))) != nil
                        )
                    }
                    var results: [String: Bool] = [:]
                    for await (what, result) in group { results[what] = result }
                    return (results["create"] ?? false, results["delete"] ?? false)
                }
                #expect(created != deleted, "exactly one of them wins")
                let atespace = try await api.fixture.store.atespace(name)
                let actor = try await api.fixture.store.actor(api.actor("alice", in: name))
                #expect((atespace == nil) == (actor == nil))
            }
        }
    }
}
