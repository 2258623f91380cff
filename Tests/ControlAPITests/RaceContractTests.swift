import ControlPlane
import GRPC
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import Synchronization
import TestKit
import Testing

/// What clients of actors meet when others were faster, or a node says no, row by row. What differs on purpose is said at
/// `ActorContractTests`.
@Suite struct RaceContractTests {
    private let ref = ActorRef(atespace: "default", name: "alice")
    private let template = TemplateRef(namespace: "default", name: "template")
    private let alice = "actors/default/alice"
    private let worker = "workers/bound/default/pool/node-0"
    private let operation = "operations/default/alice"

    private var created: ContractRow {
        ContractRow(
            "alice is there", ControlMethods.createActor, CreateActorRequest(actor: ref, template: template),
            does: [.created(alice)])
    }

    /// Between the reading and the writing of the next request, somebody changes alice.
    private var overtaken: ContractRow {
        ContractRow(happens: "somebody is faster") { api in
            let once = Once()
            let fixture = api.fixture
            api.cluster.etcd.beforeWrite { _ in
                guard once.isFirst() else { return }
                let actor = try await fixture.current("alice")
                _ = try await fixture.store.updateActor(fixture.ref("alice"), from: actor, to: actor.value)
            }
        }
    }

    @Test func whoWasSlowerIsToldToTryAgainOrTriesAgainItself() async throws {
        let conflict = "concurrent update conflict, please retry"
        try await ContractRow.check([
            created,
            overtaken,
            ContractRow(
                "an update", ControlMethods.updateActor, UpdateActorRequest(actor: ref, workerSelector: Selector()),
                .aborted, conflict, effect: [.changed(alice)]),
            overtaken,
            ContractRow(
                "a deletion", ControlMethods.deleteActor, DeleteActorRequest(actor: ref), .aborted, conflict,
                effect: [.changed(alice)]),
            overtaken,
            ContractRow(
                "a resume", ControlMethods.resumeActor, ResumeActorRequest(actor: ref),
                does: [.changed(alice), .created(worker)]),
            overtaken,
            ContractRow(
                "a pause", ControlMethods.pauseActor, PauseActorRequest(actor: ref),
                does: [.changed(alice), .deleted(worker)]),
            ContractRow(
                "it runs again", ControlMethods.resumeActor, ResumeActorRequest(actor: ref),
                does: [.changed(alice), .created(worker)]),
            overtaken,
            ContractRow(
                "a suspend", ControlMethods.suspendActor, SuspendActorRequest(actor: ref),
                does: [.changed(alice), .deleted(worker)]),
        ])
    }

    /// While the node has not answered the first request.
    private func meanwhile<Request: Sendable, Response>(
        _ name: String, at call: String, _ rpc: RPC<Request, Response>, _ request: Request, begins: Set<KeyChange>,
        ends: Set<KeyChange>, _ status: String
    ) -> [ContractRow] {
        let gate = Gate()
        let first = Shared<Task<Void, any Error>>()
        let busy = "another operation is in progress for this actor"
        return [
            ContractRow(happens: "\(name) is under way", does: begins) { api in
                api.cluster.nodes.beforeCall { name, _ throws(NodeFailure) in if name == call { await gate.pass() } }
                first.set(Task { _ = try await api.call(rpc, request) })
                try await gate.waitForArrival()
            },
            ContractRow(
                "resume during \(name)", ControlMethods.resumeActor, ResumeActorRequest(actor: ref), .aborted, busy),
            ContractRow(
                "suspend during \(name)", ControlMethods.suspendActor, SuspendActorRequest(actor: ref), .aborted, busy),
            ContractRow(
                "pause during \(name)", ControlMethods.pauseActor, PauseActorRequest(actor: ref), .aborted, busy),
            ContractRow(
                "delete during \(name)", ControlMethods.deleteActor, DeleteActorRequest(actor: ref),
                .failedPrecondition, "Actor alice is not suspended (status: \(status))"),
            ContractRow(
                "update during \(name)", ControlMethods.updateActor,
                UpdateActorRequest(actor: ref, workerSelector: Selector()), does: [.changed(alice)]),
            ContractRow(happens: "\(name) comes to its end", does: ends) { api in
                gate.open()
                try await first.value?.value
                api.cluster.nodes.beforeCall(nil)
            },
        ]
    }

    @Test func oneOperationAtATimeWorksOnAnActor() async throws {
        try await ContractRow.check(
            [created]
                + meanwhile(
                    "a resume", at: "run", ControlMethods.resumeActor, ResumeActorRequest(actor: ref),
                    begins: [.changed(alice), .created(worker), .created(operation)],
                    ends: [.changed(alice), .changed(worker), .deleted(operation)], "STATUS_RESUMING")
                + meanwhile(
                    "a pause", at: "checkpoint", ControlMethods.pauseActor, PauseActorRequest(actor: ref),
                    begins: [.changed(alice), .created(operation)],
                    ends: [.changed(alice), .deleted(worker), .deleted(operation)], "STATUS_PAUSING")
                + [
                    ContractRow(
                        "it runs again", ControlMethods.resumeActor, ResumeActorRequest(actor: ref),
                        does: [.changed(alice), .created(worker)])
                ]
                + meanwhile(
                    "a suspend", at: "checkpoint", ControlMethods.suspendActor, SuspendActorRequest(actor: ref),
                    begins: [.changed(alice), .created(operation)],
                    ends: [.changed(alice), .deleted(worker), .deleted(operation)], "STATUS_SUSPENDING"))
    }

    /// What the node says reaches the client as it is, and the actor is what it was but for the note of the failure.
    private func refusal(_ code: StatusCode, _ message: String) -> [ContractRow] {
        [
            ContractRow(happens: "the node will say no") { api in
                api.cluster.nodes.beforeCall { name, fences throws(NodeFailure) in
                    guard name == "run" else { return }
                    throw NodeFailure(
                        status: Status(code: code, message: message),
                        receipt: Receipt(epoch: fences.epoch, state: .notRunning))
                }
            },
            ContractRow(
                message, ControlMethods.resumeActor, ResumeActorRequest(actor: ref), code, message,
                effect: [.changed(alice)]),
        ]
    }

    @Test func whatTheNodeSaysReachesTheClient() async throws {
        let variable = #"container "c" env "E""#
        try await ContractRow.check(
            [created]
                + refusal(.failedPrecondition, "\(variable) references missing secret ns/name")
                + refusal(.failedPrecondition, "\(variable) references missing key \"k\" in secret ns/name")
                + refusal(
                    .failedPrecondition,
                    "\(variable) cannot resolve secretKeyRef because atelet runs without --secrets")
                + refusal(.internal, "while resolving \(variable): key \"k\" of secret ns/name is not UTF-8")
                + refusal(.dataLoss, "the snapshot is damaged")
                + [
                    ContractRow(happens: "the node will say yes") { $0.cluster.nodes.beforeCall(nil) },
                    ContractRow(
                        "it runs", ControlMethods.resumeActor, ResumeActorRequest(actor: ref),
                        does: [.changed(alice), .created(worker)]),
                ])
    }

    @Test func anActorWhoseTemplateIsGoneIsNotResumed() async throws {
        try await ContractRow.check([
            created,
            ContractRow(
                "its template goes", ResourcesMethods.deleteTemplate,
                NamedRequest(namespace: template.namespace, name: template.name),
                does: [.deleted("templates/default/template")]),
            ContractRow(happens: "that has come round") { [template] api in
                try await eventually("the catalog knows") {
                    try await api.cluster.control.catalog.template(template) == nil
                }
            },
            ContractRow(
                "a resume", ControlMethods.resumeActor, ResumeActorRequest(actor: ref), .internal,
                "internal server error: while getting ActorTemplate default/template: not found; "
                    + "apply it again, or delete the actor"),
            ContractRow(
                "it can be deleted", ControlMethods.deleteActor, DeleteActorRequest(actor: ref),
                does: [.deleted(alice)]),
        ])
    }
}

/// What one row leaves for another.
private final class Shared<Value: Sendable>: Sendable {
    private let stored = Mutex<Value?>(nil)

    var value: Value? { stored.withLock { $0 } }

    func set(_ value: Value) { stored.withLock { $0 = value } }
}
