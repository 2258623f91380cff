import GRPC
import SubstrateAPI
import SubstrateModel
import Testing

/// Resume, suspend and pause, row by row. What differs on purpose is said at `ActorContractTests`.
@Suite struct LifecycleContractTests {
    private static func ref(_ name: String, _ atespace: String = "default") -> ActorRef {
        ActorRef(atespace: atespace, name: name)
    }

    private static func created(_ name: String, _ labels: [String: String] = [:]) -> ContractRow {
        var request = CreateActorRequest(
            actor: ref(name), template: TemplateRef(namespace: "default", name: "template"))
        request.workerSelector = Selector(matchLabels: labels)
        return ContractRow(
            "\(name) is there", ControlMethods.createActor, request, does: [.created("actors/default/\(name)")])
    }

    /// What the three check alike, before anything else.
    private static func checks<Request: Sendable, Response>(
        _ rpc: RPC<Request, Response>, _ request: (ActorRef) -> Request
    ) -> [ContractRow] {
        let missing = ["nobody", "No/body", NameText.tooLong].map {
            ContractRow("the id \($0)", rpc, request(ref($0)), .notFound, "Actor \($0) not found")
        }
        return [
            ContractRow("nothing is given", rpc, request(ref("", "")), .invalidArgument, "id is required"),
            ContractRow("no atespace", rpc, request(ref("alice", "")), .invalidArgument, "atespace is required"),
        ] + missing
    }

    private let alice = "actors/default/alice"
    private let worker = "workers/bound/default/pool/node-0"
    private let resume = ResumeActorRequest(actor: Self.ref("alice"))
    private let suspend = SuspendActorRequest(actor: Self.ref("alice"))
    private let pause = PauseActorRequest(actor: Self.ref("alice"))

    @Test func everyStateAndWhatFollowsFromIt() async throws {
        let running = Set([KeyChange.changed(alice), .created(worker)])
        let released = Set([KeyChange.changed(alice), .deleted(worker)])
        try await ContractRow.check(
            Self.checks(ControlMethods.resumeActor) { ResumeActorRequest(actor: $0) }
                + Self.checks(ControlMethods.suspendActor) { SuspendActorRequest(actor: $0) }
                + Self.checks(ControlMethods.pauseActor) { PauseActorRequest(actor: $0) } + [
                    Self.created("alice"),
                    ContractRow("suspend of SUSPENDED: nothing is written", ControlMethods.suspendActor, suspend),
                    ContractRow(
                        "pause of SUSPENDED", ControlMethods.pauseActor, pause, .failedPrecondition,
                        "Actor alice is suspended; resume it first"),
                    ContractRow("resume of SUSPENDED", ControlMethods.resumeActor, resume, does: running),
                    ContractRow("resume of RUNNING: nothing is written", ControlMethods.resumeActor, resume),
                    ContractRow("pause of RUNNING", ControlMethods.pauseActor, pause, does: released),
                    ContractRow("pause of PAUSED: nothing is written", ControlMethods.pauseActor, pause),
                    ContractRow(
                        "suspend of PAUSED", ControlMethods.suspendActor, suspend, .failedPrecondition,
                        "Actor alice is paused; resume it first"),
                    ContractRow("resume of PAUSED", ControlMethods.resumeActor, resume, does: running),
                    ContractRow("suspend of RUNNING", ControlMethods.suspendActor, suspend, does: released),
                    ContractRow("suspend of SUSPENDED", ControlMethods.suspendActor, suspend),
                ])
    }

    @Test func resumesWithoutAWorkerLeaveNothingBehind() async throws {
        try await ContractRow.check([
            Self.created("alice"),
            Self.created("bob"),
            Self.created("picky", ["size": "none"]),
            ContractRow(
                "no pool matches", ControlMethods.resumeActor, ResumeActorRequest(actor: Self.ref("picky")),
                .failedPrecondition,
                "no worker pool matches the template's sandboxClass and the template/actor selectors"),
            ContractRow(
                "alice takes the worker", ControlMethods.resumeActor, resume,
                does: [.changed(alice), .created(worker)]),
            ContractRow(
                "no worker is free", ControlMethods.resumeActor, ResumeActorRequest(actor: Self.ref("bob")),
                .failedPrecondition, "no free workers available"),
        ])
    }
}
