import GRPC
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@Suite struct AtespaceTests {
    @Test func theyAreListedByName() async throws {
        try await APIHarness.run { api in
            let created = try await api.call(ControlMethods.createAtespace, AtespaceRequest(name: "team"))
            #expect(created.name == "team")
            #expect(try await api.call(ControlMethods.getAtespace, AtespaceRequest(name: "team")).name == "team")
            let names = try await api.call(ControlMethods.listAtespaces, EmptyRequest()).names
            #expect(names == ["default", "team"])
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
