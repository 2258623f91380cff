import GRPC
import SubstrateAPI
import SubstrateModel
import Testing

/// What clients of actors meet, row by row: code, text, and effect on etcd. A request with several mistakes gets the answer
/// to the first of them in the order of the checks.
///
/// On purpose not as the reference:
/// - a suspend of a paused actor and a pause of a suspended one are FailedPrecondition with what to do, never Internal;
/// - an exhausted claim of workers is `no free workers available`, never Internal;
/// - a garbage page token is InvalidArgument, not Internal, and no page is longer than its size;
/// - the atespace `default` always exists;
/// - `DebugClear` is refused unless it is switched on;
/// - a resume, suspend or pause that loses a race against an update goes on with what the update has left; only an update
///   and a deletion are `concurrent update conflict, please retry`;
/// - secrets are read by the node, so `cannot resolve secretKeyRef` has another reason; a source of a variable that is no
///   secret is refused when the template is applied, and no resume meets it;
/// - a session's identity is only for the worker that holds the actor.
///
/// Races, and answers of nodes, are in `RaceContractTests`, the lists in `ListingContractTests`, tokens in
/// `CallGuardTests` and `TokenClaimsTests`, the texts of minting with certificates in `SessionIdentityTests` and
/// `SessionCertificateTests`, secrets on the node in `SecretTests`, the tables of the command line in `OutputTests`.
@Suite struct ActorContractTests {
    private static func ref(_ name: String, _ atespace: String = "default") -> ActorRef {
        ActorRef(atespace: atespace, name: name)
    }

    private static let template = TemplateRef(namespace: "default", name: "template")

    private static func create(
        _ name: String, _ atespace: String = "default", _ template: TemplateRef = template,
        _ labels: [String: String] = [:]
    ) -> CreateActorRequest {
        var request = CreateActorRequest(actor: ref(name, atespace), template: template)
        request.workerSelector = Selector(matchLabels: labels)
        return request
    }

    private static func update(_ name: String, _ atespace: String = "default", _ labels: [String: String] = [:])
        -> UpdateActorRequest
    {
        UpdateActorRequest(actor: ref(name, atespace), workerSelector: Selector(matchLabels: labels))
    }

    private static func labels(_ count: Int) -> [String: String] {
        Dictionary(uniqueKeysWithValues: (0..<count).map { ("l\($0)", "v") })
    }

    private static let keyRule =
        "must be a name of at most 63 letters, digits, '-', '_' and '.', "
        + "beginning and ending with a letter or digit, with an optional DNS subdomain and '/' before it"
    private static let valueRule =
        "must be empty, or at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
    private static let tooManyLabels = "worker_selector has 11 match_labels entries, exceeding the limit of 10"
    private static let alice = "actors/default/alice"
    private static let worker = "workers/bound/default/pool/node-0"

    @Test func createActor() async throws {
        let rpc = ControlMethods.createActor
        let none = TemplateRef(namespace: "", name: "")
        let nameless = TemplateRef(namespace: "default", name: "")
        let missing = TemplateRef(namespace: "default", name: "missing")
        var rows = [
            ContractRow(
                "nothing is given", rpc, Self.create("", "", none, Self.labels(11)), .invalidArgument,
                "actor_template_namespace is required"),
            ContractRow(
                "no template's name", rpc, Self.create("", "", nameless, Self.labels(11)), .invalidArgument,
                "actor_template_name is required"),
            ContractRow(
                "no id", rpc, Self.create("", "", missing, Self.labels(11)), .invalidArgument, "actor_id is required"),
            ContractRow(
                "an id too long", rpc, Self.create(NameText.tooLong, "", missing), .invalidArgument,
                "invalid actor_id: \(NameText.length)"),
            ContractRow(
                "no atespace", rpc, Self.create("alice", "", missing, Self.labels(11)), .invalidArgument,
                "atespace is required"),
            ContractRow(
                "a bad atespace", rpc, Self.create("alice", "Bad", missing, Self.labels(11)), .invalidArgument,
                "invalid atespace: \(NameText.characters)"),
            ContractRow(
                "an atespace too long", rpc, Self.create("alice", NameText.tooLong, missing), .invalidArgument,
                "invalid atespace: \(NameText.length)"),
            ContractRow(
                "too many labels", rpc, Self.create("alice", "nowhere", missing, Self.labels(11)), .invalidArgument,
                Self.tooManyLabels),
            ContractRow(
                "a bad key", rpc, Self.create("alice", "nowhere", missing, ["bad key": "v"]), .invalidArgument,
                "invalid worker_selector: the label key \"bad key\" \(Self.keyRule)"),
            ContractRow(
                "a bad value", rpc, Self.create("alice", "nowhere", missing, ["k": "-"]), .invalidArgument,
                "invalid worker_selector: the label value \"-\" \(Self.valueRule)"),
            ContractRow(
                "no such template", rpc, Self.create("alice", "nowhere", missing), .failedPrecondition,
                "ActorTemplate default/missing not found"),
            ContractRow(
                "no such atespace", rpc, Self.create("alice", "nowhere"), .failedPrecondition,
                "Atespace nowhere not found"),
            ContractRow(
                "ten labels are allowed", rpc, Self.create("alice", "default", Self.template, Self.labels(10)),
                does: [.created(Self.alice)]),
            ContractRow(
                "the same again", rpc, Self.create("alice", "default", Self.template, Self.labels(10)), .alreadyExists,
                "Actor alice already exists"),
            ContractRow(
                "another of that name", rpc, Self.create("alice"), .alreadyExists, "Actor alice already exists"),
            ContractRow(
                "63 characters", rpc, Self.create(String(repeating: "a", count: 63)),
                does: [.created("actors/default/" + String(repeating: "a", count: 63))]),
            ContractRow("one digit", rpc, Self.create("0"), does: [.created("actors/default/0")]),
        ]
        for name in ["-a", "a-", "A", "a_b", "a.b", "a/b", "ä", "a b", "..", "a\nb"] {
            rows.append(
                ContractRow(
                    "the id \(name)", rpc, Self.create(name, "", missing, Self.labels(11)), .invalidArgument,
                    "invalid actor_id: \(NameText.characters)"))
        }
        try await ContractRow.check(rows)
    }

    @Test func getActor() async throws {
        let rpc = ControlMethods.getActor
        func get(_ name: String, _ atespace: String = "default") -> GetActorRequest {
            GetActorRequest(actor: Self.ref(name, atespace))
        }
        var rows = [
            ContractRow("nothing is given", rpc, get("", ""), .invalidArgument, "id is required"),
            ContractRow("no atespace", rpc, get("alice", ""), .invalidArgument, "atespace is required"),
            ContractRow(
                "it is there", ControlMethods.createActor, Self.create("alice"), does: [.created(Self.alice)]),
            ContractRow("it is found", rpc, get("alice")),
            ContractRow("elsewhere it is not", rpc, get("alice", "other"), .notFound, "Actor alice not found"),
        ]
        // No check of the form: a name that cannot exist is not found.
        for name in ["nobody", "Nobody", "a/b", NameText.tooLong] {
            rows.append(ContractRow("the id \(name)", rpc, get(name), .notFound, "Actor \(name) not found"))
        }
        try await ContractRow.check(rows)
    }

    @Test func updateActor() async throws {
        let rpc = ControlMethods.updateActor
        try await ContractRow.check([
            ContractRow(
                "nothing is given", rpc, Self.update("", "", Self.labels(11)), .invalidArgument,
                "actor_id is required"),
            ContractRow(
                "no atespace", rpc, Self.update("a", "", Self.labels(11)), .invalidArgument, "atespace is required"),
            ContractRow(
                "a bad atespace", rpc, Self.update("a", "B", Self.labels(11)), .invalidArgument,
                "invalid atespace: \(NameText.characters)"),
            ContractRow(
                "too many labels", rpc, Self.update("nobody", "default", Self.labels(11)), .invalidArgument,
                Self.tooManyLabels),
            ContractRow("nobody", rpc, Self.update("nobody"), .notFound, "Actor nobody not found"),
            ContractRow("an id of no actor's form", rpc, Self.update("No/body"), .notFound, "Actor No/body not found"),
            ContractRow(
                "it is there", ControlMethods.createActor, Self.create("alice"), does: [.created(Self.alice)]),
            ContractRow(
                "new labels", rpc, Self.update("alice", "default", ["size": "small"]), does: [.changed(Self.alice)]),
            ContractRow(
                "it runs", ControlMethods.resumeActor, ResumeActorRequest(actor: Self.ref("alice")),
                does: [.changed(Self.alice), .created(Self.worker)]),
            ContractRow("in any state; none clears them", rpc, Self.update("alice"), does: [.changed(Self.alice)]),
        ])
    }

    @Test func deleteActor() async throws {
        let rpc = ControlMethods.deleteActor
        func delete(_ name: String, _ atespace: String = "default") -> DeleteActorRequest {
            DeleteActorRequest(actor: Self.ref(name, atespace))
        }
        let alice = Self.ref("alice")
        try await ContractRow.check([
            ContractRow("nothing is given", rpc, delete("", ""), .invalidArgument, "actor_id is required"),
            ContractRow(
                "an id too long", rpc, delete(NameText.tooLong, ""), .invalidArgument,
                "invalid actor_id: \(NameText.length)"),
            ContractRow(
                "a bad id", rpc, delete("A", ""), .invalidArgument, "invalid actor_id: \(NameText.characters)"),
            ContractRow("no atespace", rpc, delete("alice", ""), .invalidArgument, "atespace is required"),
            ContractRow("nobody", rpc, delete("alice"), .notFound, "Actor alice not found"),
            ContractRow("an atespace of no form", rpc, delete("alice", "B"), .notFound, "Actor alice not found"),
            ContractRow(
                "it is there", ControlMethods.createActor, Self.create("alice"), does: [.created(Self.alice)]),
            ContractRow(
                "it runs", ControlMethods.resumeActor, ResumeActorRequest(actor: alice),
                does: [.changed(Self.alice), .created(Self.worker)]),
            ContractRow(
                "a running one", rpc, delete("alice"), .failedPrecondition,
                "Actor alice is not suspended (status: STATUS_RUNNING)"),
            ContractRow(
                "it pauses", ControlMethods.pauseActor, PauseActorRequest(actor: alice),
                does: [.changed(Self.alice), .deleted(Self.worker)]),
            ContractRow(
                "a paused one", rpc, delete("alice"), .failedPrecondition,
                "Actor alice is not suspended (status: STATUS_PAUSED)"),
            ContractRow(
                "it runs again", ControlMethods.resumeActor, ResumeActorRequest(actor: alice),
                does: [.changed(Self.alice), .created(Self.worker)]),
            ContractRow(
                "it is suspended", ControlMethods.suspendActor, SuspendActorRequest(actor: alice),
                does: [.changed(Self.alice), .deleted(Self.worker)]),
            ContractRow(
                "a suspended one, whose snapshot is dropped", rpc, delete("alice"),
                does: [.deleted(Self.alice), .created("snapshots/garbage/#1")]),
            ContractRow("again", rpc, delete("alice"), .notFound, "Actor alice not found"),
        ])
    }
}
