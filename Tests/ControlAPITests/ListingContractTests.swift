import Foundation
import GRPC
import SubstrateAPI
import SubstrateModel
import Testing

/// Atespaces, listings, `DebugClear`, and minting for somebody who has proved nothing, row by row. What differs on purpose
/// is said at `ActorContractTests`.
@Suite struct ListingContractTests {
    private func named(_ name: String) -> AtespaceRequest { AtespaceRequest(name: name) }

    @Test func atespaces() async throws {
        let (create, get, delete) = (
            ControlMethods.createAtespace, ControlMethods.getAtespace, ControlMethods.deleteAtespace
        )
        let guest = ActorRef(atespace: "team", name: "guest")
        try await ContractRow.check([
            ContractRow("create: no name", create, named(""), .invalidArgument, "name is required"),
            ContractRow(
                "create: too long", create, named(NameText.tooLong), .invalidArgument,
                "invalid atespace: \(NameText.length)"),
            ContractRow(
                "create: a bad name", create, named("Team"), .invalidArgument,
                "invalid atespace: \(NameText.characters)"),
            ContractRow("get: no name", get, named(""), .invalidArgument, "name is required"),
            ContractRow("get: none", get, named("team"), .notFound, "Atespace team not found"),
            ContractRow("get: no name of one", get, named("X/Y"), .notFound, "Atespace X/Y not found"),
            ContractRow("delete: no name", delete, named(""), .invalidArgument, "name is required"),
            ContractRow("delete: none", delete, named("team"), .notFound, "Atespace team not found"),
            ContractRow(
                "delete: the default", delete, named("default"), .failedPrecondition,
                "Atespace default cannot be deleted: it always exists"),
            ContractRow("create", create, named("team"), does: [.created("atespaces/team")]),
            ContractRow("create: again", create, named("team"), .alreadyExists, "Atespace team already exists"),
            ContractRow(
                "create: no name is reserved", create, named("ate-golden"), does: [.created("atespaces/ate-golden")]),
            ContractRow("get", get, named("team")),
            ContractRow("list", ControlMethods.listAtespaces, EmptyRequest()),
            ContractRow(
                "an actor in it", ControlMethods.createActor,
                CreateActorRequest(actor: guest, template: TemplateRef(namespace: "default", name: "template")),
                does: [.created("actors/team/guest")]),
            ContractRow("delete: not empty", delete, named("team"), .failedPrecondition, "Atespace team is not empty"),
            ContractRow(
                "the actor goes", ControlMethods.deleteActor, DeleteActorRequest(actor: guest),
                does: [.deleted("actors/team/guest")]),
            ContractRow("delete", delete, named("team"), does: [.deleted("atespaces/team")]),
        ])
    }

    @Test func listings() async throws {
        let rpc = ControlMethods.listActors
        let foreign = "page_token is not one that this listing has returned"
        func token(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
        var rows = [
            ContractRow(
                "a bad atespace comes first", rpc,
                ListActorsRequest(pageSize: -1, pageToken: "garbage", atespace: "B"), .invalidArgument,
                "invalid atespace: \(NameText.characters)"),
            ContractRow(
                "an atespace too long", rpc, ListActorsRequest(atespace: NameText.tooLong), .invalidArgument,
                "invalid atespace: \(NameText.length)"),
            ContractRow(
                "a negative size", rpc, ListActorsRequest(pageSize: -1, pageToken: "garbage"), .invalidArgument,
                "page_size cannot be negative"),
            ContractRow(
                "too large a size", rpc, ListActorsRequest(pageSize: 1001, pageToken: "garbage"), .invalidArgument,
                "page_size 1001 exceeds maximum page size 1000"),
            ContractRow("the largest size", rpc, ListActorsRequest(pageSize: 1000)),
            ContractRow("no size", rpc, ListActorsRequest()),
            ContractRow("an atespace that is not there", rpc, ListActorsRequest(atespace: "nowhere")),
            ContractRow("workers", ControlMethods.listWorkers, EmptyRequest()),
        ]
        // Of another version, revision or listing; with names that there cannot be; from the future; with numbers that are none.
        let forged = [
            "garbage", "////", token("1/7//a/b"), token("1/0//a/b/0/0"), token("2/7//a/b/0/0"),
            token("1/7/other/a/b/0/0"), token("1/7//a/../../x/0/0"), token("1/\(Int64.max)//a/b/0/0"),
            token("1/7//a/b/-1/0"), token("1/7//a/b/0/x"),
        ]
        for text in forged {
            rows.append(
                ContractRow(
                    "the token \(text)", rpc, ListActorsRequest(pageToken: text), .invalidArgument, foreign))
        }
        // Who may list one atespace cannot go on from another.
        rows.append(
            ContractRow(
                "a token that begins elsewhere", rpc,
                ListActorsRequest(pageToken: token("1/7/team/a/b/30000/0"), atespace: "team"), .invalidArgument, foreign
            ))
        try await ContractRow.check(rows)
    }

    @Test func whatNeedsMoreThanARequest() async throws {
        let session = (app: "default", user: "u1", id: "alice")
        try await ContractRow.check([
            ContractRow(
                "DebugClear is switched off", ControlMethods.debugClear, EmptyRequest(), .permissionDenied,
                "DebugClear is switched off; start ateapi with --enable-debug to allow it"),
            ContractRow(
                "a token for nobody", SessionIdentityMethods.mintJWT,
                MintJWTRequest(audience: ["tools"], appID: session.app, userID: session.user, sessionID: session.id),
                .unauthenticated, "Need authorization header"),
            ContractRow(
                "a certificate for nobody", SessionIdentityMethods.mintCert,
                MintCertRequest(
                    appID: session.app, userID: session.user, sessionID: session.id, signingRequest: [1, 2, 3]),
                .unauthenticated, "could not verify peer certificate"),
        ])
    }
}
