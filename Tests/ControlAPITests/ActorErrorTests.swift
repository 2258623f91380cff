import GRPC
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// What of an actor is answered, and requests of unusual sizes; the rest of the contract is in tables.
@Suite struct ActorErrorTests {
    @Test func aTemplateThatCannotExistIsNotLookedFor() async throws {
        try await APIHarness.run { api in
            var request = api.creation("alice")
            request.template = TemplateRef(namespace: "default", name: "../missing")
            api.cluster.etcd.resetCounts()
            await api.expect(
                .failedPrecondition, "ActorTemplate default/../missing not found", ControlMethods.createActor, request)
            #expect(api.cluster.etcd.counts == InterceptedEtcd.Counts())
        }
    }

    @Test func aNewActorIsSuspendedAndHasItsSelectorWhichAnUpdateReplaces() async throws {
        try await APIHarness.run { api in
            var request = api.creation("alice")
            request.workerSelector = Selector(matchLabels: ["example.com/size": "small"])
            let created = try await api.call(ControlMethods.createActor, request).actor
            #expect(created.status == .suspended && created.version == 1 && created.ref == request.actor)
            #expect(created.workerSelector == request.workerSelector)
            var update = UpdateActorRequest(
                actor: request.actor, workerSelector: Selector(matchLabels: ["size": "big"]))
            let changed = try await api.call(ControlMethods.updateActor, update).actor
            #expect(changed.version == 2 && changed.workerSelector.matchLabels == ["size": "big"])
            update.workerSelector = Selector()
            let cleared = try await api.call(ControlMethods.updateActor, update).actor
            #expect(cleared.version == 3 && cleared.workerSelector.matchLabels.isEmpty)
        }
    }

    @Test func namesThatAreFarTooLongAreRepeatedInPart() async throws {
        try await APIHarness.run { api in
            let name = String(repeating: "ä", count: 20_000)
            let part = String(repeating: "ä", count: 64) + "..."
            await api.expect(
                .notFound, "Actor \(part) not found", ControlMethods.getActor, GetActorRequest(actor: api.actor(name)))
            await api.expect(
                .notFound, "Atespace \(part) not found", ControlMethods.getAtespace, AtespaceRequest(name: name))
            await api.expect(
                .notFound, "ActorTemplate \(part)/\(part) not found", ResourcesMethods.getTemplate,
                NamedRequest(namespace: name, name: name))
            var request = api.creation("alice")
            request.template = TemplateRef(namespace: name, name: name)
            await api.expect(
                .failedPrecondition, "ActorTemplate \(part)/\(part) not found", ControlMethods.createActor, request)
            for labels in [[name: "v"], ["k": name]] {
                request.workerSelector = Selector(matchLabels: labels)
                let error = await #expect(throws: RPCError.self) {
                    try await api.call(ControlMethods.createActor, request)
                }
                #expect(error?.code == .invalidArgument && error?.status.message.contains("\"\(part)\"") == true)
            }
        }
    }

    @Test func resumeAndSuspend() async throws {
        try await APIHarness.run(workers: 1) { api in
            func resume(_ name: String, in atespace: String = "default") -> ResumeActorRequest {
                ResumeActorRequest(actor: api.actor(name, in: atespace))
            }
            func suspend(_ name: String, in atespace: String = "default") -> SuspendActorRequest {
                SuspendActorRequest(actor: api.actor(name, in: atespace))
            }
            await api.expect(.invalidArgument, "id is required", ControlMethods.resumeActor, resume(""))
            await api.expect(.invalidArgument, "atespace is required", ControlMethods.resumeActor, resume("a", in: ""))
            await api.expect(.notFound, "Actor nobody not found", ControlMethods.resumeActor, resume("nobody"))
            await api.expect(.invalidArgument, "id is required", ControlMethods.suspendActor, suspend(""))
            await api.expect(
                .invalidArgument, "atespace is required", ControlMethods.suspendActor, suspend("a", in: ""))
            await api.expect(.notFound, "Actor nobody not found", ControlMethods.suspendActor, suspend("nobody"))
            for name in ["alice", "bob", "picky"] {
                _ = try await api.call(ControlMethods.createActor, api.creation(name))
            }
            let running = try await api.call(ControlMethods.resumeActor, resume("alice")).actor
            #expect(running.status == .running)
            #expect(running.assignment?.worker.pod == "node-0" && running.assignment?.address?.port == 80)
            #expect(try await api.call(ControlMethods.resumeActor, resume("alice")).actor == running)
            await api.expect(
                .failedPrecondition, "no free workers available", ControlMethods.resumeActor, resume("bob"))
            let picky = UpdateActorRequest(
                actor: api.actor("picky"), workerSelector: Selector(matchLabels: ["size": "none"]))
            _ = try await api.call(ControlMethods.updateActor, picky)
            await api.expect(
                .failedPrecondition,
                "no worker pool matches the template's sandboxClass and the template/actor selectors",
                ControlMethods.resumeActor, resume("picky"))
            let suspended = try await api.call(ControlMethods.suspendActor, suspend("alice")).actor
            #expect(suspended.status == .suspended && suspended.assignment == nil && suspended.lastSnapshot != nil)
            #expect(try await api.call(ControlMethods.suspendActor, suspend("alice")).actor == suspended)
            _ = try await api.call(
                ResourcesMethods.deleteTemplate,
                NamedRequest(namespace: api.fixture.template.ref.namespace, name: api.fixture.template.ref.name))
            let message =
                "internal server error: while getting ActorTemplate \(api.fixture.template.ref): not found; "
                + "apply it again, or delete the actor"
            try await eventually("the deletion has come round") {
                do {
                    _ = try await api.call(ControlMethods.resumeActor, resume("bob"))
                    _ = try await api.call(ControlMethods.suspendActor, suspend("bob"))
                    return false
                } catch {
                    let status = (error as? RPCError)?.status
                    return status?.code == .internal && status?.message == message
                }
            }
        }
    }
}
