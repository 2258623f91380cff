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

    @Test func waitingGoesOnWhenTheConnectionBreaks() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor alice --template template")
            let screen = Screen()
            let terminal = screen.terminal(cli.environment)
            async let status = OperatorCLI.run(["wait", "--for=status=RUNNING", "actor", "alice"], terminal)
            try await eventually("the watch broke and went on") {
                cli.proxy.cutAll()
                return screen.complaints.all.contains { $0.contains("broke off") }
            }
            await cli.direct.atectl("resume actor alice")
            #expect(await status == 0)
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

    @Test func whatCannotComeIsNotWaitedFor() async throws {
        try await CLIHarness.run { cli in
            #expect(
                await cli.failure("wait --for=status=RUNNING actor nobody") == "atectl: actor \"nobody\" not found\n")
            await cli.atectl("create actor alice --template template")
            let screen = Screen()
            let terminal = screen.terminal(cli.environment)
            async let status = OperatorCLI.run(["wait", "--for=status=RUNNING", "actor", "alice"], terminal)
            // Which it only says when it has seen the actor.
            try await eventually("the watch broke") {
                cli.proxy.cutAll()
                return screen.complaints.all.contains { $0.contains("broke off") }
            }
            await cli.direct.atectl("delete actor alice")
            #expect(await status == 1)
            #expect(
                screen.complaints.all.last
                    == "atectl: actor \"default/alice\" was deleted while it was waited for to be RUNNING\n")
        }
    }
}
