import Foundation
import LocalCluster
import TestKit
import Testing

@testable import OperatorCLI

/// Where the programs are that the tests were built with.
let builtPrograms = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().path

/// The program itself, on a terminal and off it.
@Suite(.timeLimit(.minutes(1))) struct TerminalTests {
    @Test func coloursAreForTerminalsOnly() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor alice --template template")
            await cli.atectl("resume actor alice")
            let endpoint = try #require(cli.environment["ATE_ENDPOINT"])
            let line = "\(builtPrograms)/atectl get actors --endpoint \(endpoint)"
            let coloured = "\u{1B}[32mSTATUS_RUNNING\u{1B}[0m"
            func output(_ command: String) async throws -> String { try await Tool.output("sh", ["-c", command]) }
            let plain = try await output(line)
            #expect(plain.contains("STATUS_RUNNING") && !plain.contains("\u{1B}"))
            // Whoever runs the tests may want no colours: `swift test` says so when nobody watches it.
            let terminal = try await output("env -u NO_COLOR TERM=xterm script -qec '\(line)' /dev/null")
            #expect(terminal.contains(coloured), "\(terminal)")
            let unwanted = try await output("NO_COLOR=1 TERM=xterm script -qec '\(line)' /dev/null")
            #expect(unwanted.contains("STATUS_RUNNING") && !unwanted.contains("\u{1B}[32m"))
        }
    }

    @Test func aReaderThatGoesAwayEndsAWatch() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create actor alice --template template")
            let endpoint = try #require(cli.environment["ATE_ENDPOINT"])
            let command = "\(builtPrograms)/atectl get actors -w -o name --endpoint \(endpoint) | head -1"
            let output = Shared<String?>(nil)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    let text = try await Tool.output("sh", ["-c", command])
                    output.withLock { $0 = text }
                }
                // A line that nobody reads any more.
                try await eventually("it ends") {
                    await cli.direct.atectl("resume actor alice")
                    await cli.direct.atectl("suspend actor alice")
                    return output.current != nil
                }
                try await group.waitForAll()
            }
            #expect(output.current == "actor/alice\n")
        }
    }
}
