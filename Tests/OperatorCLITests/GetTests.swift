import GRPC
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import OperatorCLI

/// `get` and `describe`, against a real control plane.
@Suite(.timeLimit(.minutes(1))) struct GetTests {
    @Test func objectsAreSelectedByLabelsAndNamespaces() async throws {
        try await CLIHarness.run { cli in
            for (name, size) in [("a", "small"), ("b", "large"), ("c", "small")] {
                await cli.atectl("create actor \(name) --template default/template --selector size=\(size)")
            }
            await cli.atectl("create actor d --template template")
            #expect(await cli.atectl("get actors -l size=small -oname") == "actor/a\nactor/c\n")
            #expect(await cli.atectl("get actors -l size!=small -oname") == "actor/b\nactor/d\n")
            #expect(await cli.atectl("get actors -l !size -o=name") == "actor/d\n")
            #expect(await cli.atectl("get pools -l size -o name") == "pool/default/pool\n")
            #expect(await cli.atectl("get pools -l size=huge -o name") == "")
            #expect(await cli.atectl("get pools -n elsewhere -o name") == "")
            #expect(
                await cli.atectl("get workers -n default -o name")
                    == "worker/default/pool/node-0\nworker/default/pool/node-1\n")
            #expect(await cli.atectl("get worker node-1 -o name") == "worker/default/pool/node-1\n")
            #expect(await cli.atectl("get template -n default template -o name") == "template/default/template\n")
            #expect(await cli.atectl("get template/default/template -o name") == "template/default/template\n")
        }
    }

    @Test func allAtespacesAreListedTogether() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create atespace team")
            await cli.atectl("create actor a --template template")
            await cli.atectl("create actor b --template template -a team")
            #expect(await cli.atectl("get actors -o name") == "actor/a\n")
            #expect(await cli.atectl("list actors -Ao name") == "actor/a\nactor/b\n")
            #expect(await cli.atectl("get actors -a team -o name") == "actor/b\n")
            #expect(await cli.atectl("get atespaces") == "NAME\ndefault\nteam\n")
            // One object comes in the list, as the reference shows it.
            #expect(
                await cli.atectl("get actor b -a team -o json").hasPrefix(
                    "{\n  \"actors\": [\n    {\n      \"actorId\": \"b\""))
            #expect(await cli.atectl("delete actor b -a team") == "actor \"b\" deleted\n")
            #expect(await cli.failure("get actor b -a team").hasSuffix("(NOT_FOUND)\n"))
        }
    }

    /// A server that lists by pages of one actor.
    private func withPages(
        of names: [String], next: @escaping @Sendable (Int) -> String, _ body: (String) async throws -> Void
    ) async throws {
        let list = ServerMethod(ControlMethods.listActors) { request, _ in
            let index = Int(request.pageToken) ?? 0
            let actor = ActorInfo(
                ref: ActorRef(atespace: "default", name: names[index]), version: 1,
                template: TemplateRef(namespace: "default", name: "t"), workerSelector: Selector(), status: .suspended,
                assignment: nil, lastSnapshot: nil, inProgressSnapshot: nil)
            return ListActorsResponse(actors: [actor], nextPageToken: next(index))
        }
        let server = try Server(address: "127.0.0.1:0", credentials: .insecure, methods: [list])
        try await running({ await server.run() }) { try await body("127.0.0.1:\(server.port)") }
    }

    @Test func everyPageIsRead() async throws {
        try await withPages(of: ["a", "b", "c"], next: { $0 < 2 ? "\($0 + 1)" : "" }) { endpoint in
            let outcome = await atectl("get actors -o name --endpoint \(endpoint)")
            #expect(outcome.output == "actor/a\nactor/b\nactor/c\n")
        }
    }

    @Test func pagesWithoutEndAreNotReadForever() async throws {
        try await withPages(of: ["a", "b"], next: { _ in "1" }) { endpoint in
            let outcome = await atectl("get actors --endpoint \(endpoint)")
            #expect(outcome.status == 1)
            #expect(outcome.complaints.contains("answers with the same page again and again"))
        }
    }

    @Test func aServerWithoutWatchesIsSaidToBeOne() async throws {
        try await withPages(of: ["a"], next: { _ in "" }) { endpoint in
            let outcome = await atectl("get actors -w --endpoint \(endpoint)")
            #expect(outcome.status == 1)
            #expect(outcome.complaints.contains("\(endpoint) does not offer /substrate.Watch/WatchActors"))
        }
    }

    @Test func descriptionsTellEverything() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor alice --template template --selector size=small")
            await cli.atectl("resume actor alice")
            let running = await cli.atectl("describe actor alice")
            #expect(running.contains(/Name: +alice\n/) && running.contains(/Status: +RUNNING\n/))
            #expect(
                running.contains(/Worker: +default\/pool\/node-[01]\n/)
                    && running.contains(/Address: +127\.91\.[0-9.]+:80\n/))
            #expect(running.contains(/Worker selector: +size=small\n/) && running.contains(/Last snapshot: +<none>\n/))
            await cli.atectl("suspend actor alice")
            #expect(await cli.atectl("describe actor alice").contains(/Last snapshot: +file:\/\/\/snapshots\//))
            await cli.atectl("resume actor alice")
            await cli.atectl("pause actor alice")
            #expect(await cli.atectl("describe actor/alice").contains(/Local snapshot: +.+ on node, newer than/))
            await cli.atectl("resume actor alice")
            let pool = await cli.atectl("describe pool pool")
            #expect(pool.contains(/Workers: +node-[01] {2}/) && pool.contains("ASSIGNED to default/alice"))
            #expect(await cli.atectl("describe atespace default").contains(/Actors: +1\n  RUNNING: +1\n/))
            #expect(await cli.atectl("describe worker node-0").contains(/Node: +node\n/))
            let template = await cli.atectl("describe template template")
            #expect(template.contains(/Container: +main\n/) && template.contains(/Command: +true\n/))
            #expect(await cli.failure("describe worker nobody") == "atectl: Worker nobody not found\n")
        }
    }
}
