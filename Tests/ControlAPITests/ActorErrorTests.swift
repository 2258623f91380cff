import GRPC
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Codes and texts that clients match, in the order in which the reference checks.
@Suite struct ActorErrorTests {
    private let tooLong = String(repeating: "a", count: 64)
    private let lengthRule = "must be no more than 63 characters"
    private let characterRule =
        "must start and end with a lower case alphanumeric character, and consist only of lower case alphanumeric characters or '-'"

    @Test func createActor() async throws {
        try await APIHarness.run { api in
            let rpc = ControlMethods.createActor
            var request = CreateActorRequest(
                actor: ActorRef(atespace: "", name: ""), template: TemplateRef(namespace: "", name: ""))
            await api.expect(.invalidArgument, "actor_template_namespace is required", rpc, request)
            request.template.namespace = "default"
            await api.expect(.invalidArgument, "actor_template_name is required", rpc, request)
            request.template.name = "missing"
            await api.expect(.invalidArgument, "actor_id is required", rpc, request)
            request.actor.name = tooLong
            await api.expect(.invalidArgument, "invalid actor_id: \(lengthRule)", rpc, request)
            for name in ["-a", "a-", "A", "a_b", "a.b", "a/b", "ä", "a b"] {
                request.actor.name = name
                await api.expect(.invalidArgument, "invalid actor_id: \(characterRule)", rpc, request)
            }
            request.actor.name = "alice"
            await api.expect(.invalidArgument, "atespace is required", rpc, request)
            request.actor.atespace = "Bad"
            await api.expect(.invalidArgument, "invalid atespace: \(characterRule)", rpc, request)
            request.actor.atespace = "nowhere"
            request.workerSelector = Selector(
                matchLabels: Dictionary(uniqueKeysWithValues: (0..<11).map { ("l\($0)", "v") }))
            await api.expect(
                .invalidArgument, "worker_selector has 11 match_labels entries, exceeding the limit of 10", rpc, request
            )
            request.workerSelector = Selector(matchLabels: ["bad key": "v"])
            await #expect(throws: RPCError.self) { try await api.call(rpc, request) }
            request.workerSelector = Selector(matchLabels: ["example.com/size": "small"])
            await api.expect(.failedPrecondition, "ActorTemplate default/missing not found", rpc, request)
            // One that cannot exist is not looked for.
            api.cluster.etcd.resetCounts()
            request.template.name = "../missing"
            await api.expect(.failedPrecondition, "ActorTemplate default/../missing not found", rpc, request)
            #expect(api.cluster.etcd.counts == InterceptedEtcd.Counts())
            request.template = api.fixture.template.ref
            await api.expect(.failedPrecondition, "Atespace nowhere not found", rpc, request)
            request.actor.atespace = "default"
            let created = try await api.call(rpc, request).actor
            #expect(created.status == .suspended && created.version == 1 && created.ref == request.actor)
            #expect(created.workerSelector == request.workerSelector)
            await api.expect(.alreadyExists, "Actor alice already exists", rpc, request)
        }
    }

    @Test func getActor() async throws {
        try await APIHarness.run { api in
            let rpc = ControlMethods.getActor
            await api.expect(.invalidArgument, "id is required", rpc, GetActorRequest(actor: api.actor("")))
            await api.expect(
                .invalidArgument, "atespace is required", rpc, GetActorRequest(actor: api.actor("a", in: "")))
            // No check of the form: a name that cannot exist is not found.
            for name in ["nobody", "Nobody", "a/b", tooLong] {
                await api.expect(.notFound, "Actor \(name) not found", rpc, GetActorRequest(actor: api.actor(name)))
            }
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

    @Test func updateActor() async throws {
        try await APIHarness.run { api in
            let rpc = ControlMethods.updateActor
            func request(_ name: String, in atespace: String = "default", _ labels: [String: String] = [:])
                -> UpdateActorRequest
            {
                UpdateActorRequest(actor: api.actor(name, in: atespace), workerSelector: Selector(matchLabels: labels))
            }
            await api.expect(.invalidArgument, "actor_id is required", rpc, request(""))
            await api.expect(.invalidArgument, "atespace is required", rpc, request("a", in: ""))
            await api.expect(.invalidArgument, "invalid atespace: \(characterRule)", rpc, request("a", in: "B"))
            await api.expect(.notFound, "Actor nobody not found", rpc, request("nobody"))
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            let changed = try await api.call(rpc, request("alice", ["size": "big"])).actor
            #expect(changed.version == 2 && changed.workerSelector.matchLabels == ["size": "big"])
            // Replaced as a whole; none clears it.
            let cleared = try await api.call(rpc, request("alice")).actor
            #expect(cleared.version == 3 && cleared.workerSelector.matchLabels.isEmpty)
        }
    }

    @Test func anUpdateThatLosesItsRaceIsAborted() async throws {
        try await APIHarness.run { api in
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            let once = Once()
            let fixture = api.fixture
            api.cluster.etcd.beforeWrite { _ in
                guard once.isFirst() else { return }
                let actor = try await fixture.current("alice")
                _ = try await fixture.store.updateActor(fixture.ref("alice"), from: actor, to: actor.value)
            }
            await api.expect(
                .aborted, "concurrent update conflict, please retry", ControlMethods.updateActor,
                UpdateActorRequest(actor: api.actor("alice"), workerSelector: Selector()))
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
            #expect(running.assignment?.worker.pod == "node-0" && running.assignment?.address.port == 80)
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

    @Test func aSecondOperationOnAnActorIsAborted() async throws {
        try await APIHarness.run { api in
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            let gate = Gate()
            api.cluster.nodes.beforeCall { name, _ throws(NodeFailure) in
                guard name == "run" else { return }
                await gate.pass()
            }
            let first = Task {
                try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
            }
            try await gate.waitForArrival()
            let message = "another operation is in progress for this actor"
            await api.expect(
                .aborted, message, ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
            await api.expect(
                .aborted, message, ControlMethods.suspendActor, SuspendActorRequest(actor: api.actor("alice")))
            await api.expect(
                .failedPrecondition, "Actor alice is not suspended (status: STATUS_RESUMING)",
                ControlMethods.deleteActor, DeleteActorRequest(actor: api.actor("alice")))
            gate.open()
            #expect(try await first.value.actor.status == .running)
        }
    }

    @Test func deleteActor() async throws {
        try await APIHarness.run { api in
            let rpc = ControlMethods.deleteActor
            await api.expect(.invalidArgument, "actor_id is required", rpc, DeleteActorRequest(actor: api.actor("")))
            await api.expect(
                .invalidArgument, "invalid actor_id: \(lengthRule)", rpc, DeleteActorRequest(actor: api.actor(tooLong)))
            await api.expect(
                .invalidArgument, "atespace is required", rpc, DeleteActorRequest(actor: api.actor("a", in: "")))
            await api.expect(.notFound, "Actor nobody not found", rpc, DeleteActorRequest(actor: api.actor("nobody")))
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
            await api.expect(
                .failedPrecondition, "Actor alice is not suspended (status: STATUS_RUNNING)", rpc,
                DeleteActorRequest(actor: api.actor("alice")))
            _ = try await api.call(ControlMethods.suspendActor, SuspendActorRequest(actor: api.actor("alice")))
            _ = try await api.call(rpc, DeleteActorRequest(actor: api.actor("alice")))
            await api.expect(.notFound, "Actor alice not found", rpc, DeleteActorRequest(actor: api.actor("alice")))
        }
    }

    @Test func theNodesReasonReachesTheClientWithItsCode() async throws {
        try await APIHarness.run { api in
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            api.cluster.nodes.beforeCall { name, fences throws(NodeFailure) in
                guard name == "run" else { return }
                throw NodeFailure(
                    status: Status(code: .dataLoss, message: "the image is damaged"),
                    receipt: Receipt(epoch: fences.epoch, state: .notRunning))
            }
            await api.expect(
                .dataLoss, "the image is damaged", ControlMethods.resumeActor,
                ResumeActorRequest(actor: api.actor("alice")))
        }
    }
}
