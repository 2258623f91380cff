import GRPC
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import OperatorCLI

/// `wait`, against a real control plane.
@Suite(.timeLimit(.minutes(1))) struct WaitTests {
    @Test func whatIsSoAlreadyIsNotWaitedFor() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor alice --template template")
            #expect(await cli.atectl("wait --for=status=SUSPENDED actor alice") == "actor \"alice\" condition met\n")
            #expect(await cli.atectl("wait --for status=suspended actor/alice") == "actor \"alice\" condition met\n")
            #expect(await cli.atectl("wait --for=delete actor nobody") == "actor \"nobody\" condition met\n")
        }
    }

    @Test func waitingEndsWhenItComes() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor alice --template template")
            let screen = Screen()
            let terminal = screen.terminal(cli.environment)
            async let status = OperatorCLI.run(["wait", "--for=status=RUNNING", "actor", "alice"], terminal)
            await cli.atectl("resume actor alice")
            #expect(await status == 0)
            #expect(screen.text == "actor \"alice\" condition met\n")
            async let deletion = OperatorCLI.run(["wait", "--for=delete", "actor", "alice"], terminal)
            await cli.atectl("suspend actor alice")
            await cli.atectl("delete actor alice")
            #expect(await deletion == 0)
        }
    }

    @Test func whenTheTimeIsUpItSaysWhatWasSeenLast() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor alice --template template")
            #expect(
                await cli.failure("wait --for=status=RUNNING actor alice --timeout 500ms")
                    == "atectl: timed out after 500ms waiting for actor \"default/alice\" to be RUNNING; it was last seen SUSPENDED\n"
            )
            #expect(
                await cli.failure("wait --for=delete actor alice --timeout 500ms")
                    == "atectl: timed out after 500ms waiting for actor \"default/alice\" to be deleted; it was last seen SUSPENDED\n"
            )
        }
    }

    @Test func whatIsNotThereIsNotWaitedFor() async throws {
        try await CLIHarness.run { cli in
            #expect(
                await cli.failure("wait --for=status=RUNNING actor nobody") == "atectl: actor \"nobody\" not found\n")
        }
    }

    /// An update about one actor; without a status it is deleted.
    private func update(_ revision: Int64, _ status: ActorStatus?) -> ActorsUpdate {
        let ref = ActorRef(atespace: "default", name: "alice")
        guard let status else { return ActorsUpdate(revision: revision, deleted: [ref]) }
        let actor = ActorInfo(
            ref: ref, version: revision, template: TemplateRef(namespace: "default", name: "t"),
            workerSelector: Selector(), status: status, assignment: nil, lastSnapshot: nil, inProgressSnapshot: nil)
        return ActorsUpdate(revision: revision, isReset: revision == 1, actors: [actor])
    }

    /// Waits for an actor to run at a server whose stream sends these updates and then breaks, each time from where the
    /// client goes on.
    private func wait(for updates: [ActorsUpdate], perStream count: Int) async throws -> Outcome {
        let watch = ServerMethod.stream(WatchMethods.actors) { request, writer, _ in
            for update in updates.filter({ $0.revision > request.afterRevision }).prefix(count) {
                try await writer.send(update)
            }
            throw Status(code: .unavailable, message: "restarting")
        }
        let server = try Server(address: "127.0.0.1:0", credentials: .insecure, methods: [watch])
        return try await running({ await server.run() }) {
            await atectl("wait --for=status=RUNNING actor alice --endpoint 127.0.0.1:\(server.port)")
        }
    }

    @Test func waitingGoesOnWhenTheServerRestarts() async throws {
        let updates = [update(1, .suspended), update(2, .resuming), update(3, .running)]
        let outcome = try await wait(for: updates, perStream: 1)
        #expect(outcome.status == 0 && outcome.output == "actor \"alice\" condition met\n")
        let broken = "atectl: the watch broke off (restarting); trying to take it up again\n"
        let restored = "atectl: the watch goes on\n"
        #expect(outcome.complaints == broken + restored + broken + restored)
    }

    @Test func aStatusOfWhatIsDeletedIsNotWaitedFor() async throws {
        let outcome = try await wait(for: [update(1, .suspended), update(2, nil)], perStream: 2)
        #expect(outcome.status == 1)
        #expect(
            outcome.complaints
                == "atectl: actor \"default/alice\" was deleted while it was waited for to be RUNNING\n")
    }
}
