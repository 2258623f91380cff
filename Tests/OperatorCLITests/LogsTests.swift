import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import OperatorCLI

/// `logs`, against a real control plane and a node in this process.
@Suite(.timeLimit(.minutes(1))) struct LogsTests {
    private func withAlice(workers: Int = 2, _ body: @Sendable (CLIHarness) async throws -> Void) async throws {
        try await CLIHarness.run(workers: workers) { cli in
            await cli.atectl("create actor alice --template template")
            try await body(cli)
        }
    }

    /// Puts alice on a worker and has her say something.
    private func resume(_ cli: CLIHarness, saying lines: String...) async throws {
        await cli.direct.atectl("resume actor alice")
        for line in lines { cli.node.runtime.say(line, try #require(cli.node.runtime.running.last)) }
    }

    @Test func whatIsKeptIsShownAsItWasWritten() async throws {
        try await withAlice(workers: 1) { cli in
            try await resume(cli, saying: "one", "", "  drei: äöü")
            let epoch = try #require(cli.node.runtime.running.last)
            cli.node.runtime.say("to standard error", epoch, .standardError)
            #expect(await cli.atectl("logs alice") == "one\n\n  drei: äöü\nto standard error\n")
            #expect(await cli.atectl("logs actor alice --tail 2") == "  drei: äöü\nto standard error\n")
            #expect(await cli.atectl("logs actors alice --tail 0") == "")
            let prefixed = await cli.atectl("logs alice --tail 1 --prefix")
            #expect(prefixed == "[node-0 main] to standard error\n")
            let line = await cli.atectl("logs alice --tail 1 --timestamps")
            let words = line.split(separator: " ", maxSplits: 1)
            #expect(words.last == "to standard error\n")
            #expect(words[0].wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil, "\(line)")
        }
    }

    @Test func anActorMayBeCalledActor() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor actor --template template")
            await cli.atectl("resume actor actor")
            cli.node.runtime.say("me", try #require(cli.node.runtime.running.last))
            #expect(await cli.atectl("logs actor actor") == "me\n")
            let nameless = await OperatorCLITests.atectl("logs actor", environment: cli.environment)
            #expect(nameless.status == 2 && nameless.complaints.contains("the name of the actor is missing"))
        }
    }

    @Test func whatIsNotThereIsSaid() async throws {
        try await withAlice { cli in
            #expect(await cli.failure("logs carol") == "atectl: Actor carol not found (NOT_FOUND)\n")
            let asleep = await cli.failure("logs alice")
            #expect(asleep.contains("Actor alice is not running (status: STATUS_SUSPENDED)"), "\(asleep)")
            let other = await OperatorCLITests.atectl("logs worker node-0", environment: cli.environment)
            #expect(other.status == 2, "\(other.complaints)")
        }
    }

    @Test func followingGoesOnFromWorkerToWorkerUntilTheActorIsDeleted() async throws {
        try await withAlice { cli in
            try await resume(cli, saying: "before", "last")
            let screen = Screen()
            let terminal = screen.terminal(cli.environment)
            let status = Shared<Int32?>(nil)
            try await running({
                let ended = await OperatorCLI.run(["logs", "alice", "-f", "--tail", "1"], terminal)
                status.withLock { $0 = ended }
            }) {
                try await eventually("what was last") { screen.lines == ["last"] }
                await cli.atectl("suspend actor alice")
                try await resume(cli, saying: "again")
                try await eventually("the next stay") { screen.lines == ["last", "again"] }
                await cli.atectl("suspend actor alice")
                await cli.atectl("delete actor alice")
                try await eventually("it ends") { status.current != nil }
            }
            #expect(status.current == 1)
            #expect(screen.complaints.all.last == "atectl: Actor alice not found (NOT_FOUND)\n")
        }
    }

    @Test func aConnectionThatBreaksIsTakenUpWithTheNextLine() async throws {
        try await withAlice { cli in
            try await resume(cli, saying: "1")
            try await cli.watching("logs alice -f") { screen in
                try await eventually("the first line") { screen.lines == ["1"] }
                for number in 2...4 {
                    let complaints = screen.complaints.all.count
                    cli.proxy.cutAll()
                    try await eventually("it says that it broke off") {
                        screen.complaints.all.dropFirst(complaints).contains {
                            $0.hasPrefix("atectl: the output broke off")
                        }
                    }
                    cli.node.runtime.say("\(number)", try #require(cli.node.runtime.running.last))
                    try await eventually("the line is there") { screen.lines.last == "\(number)" }
                }
                #expect(screen.lines == ["1", "2", "3", "4"])
            }
        }
    }
}
