import Foundation
import LocalCluster
import ServiceKit
import TestKit
import Testing

@testable import OperatorCLI

/// What shells offer while a command line is typed.
@Suite(.timeLimit(.minutes(1))) struct CompletionTests {
    private let folder = Folder()

    /// The candidates for the last of the words.
    private func candidates(_ words: String..., environment: [String: String] = [:]) async -> [String] {
        let outcome = await atectl(["__complete"] + words, environment: environment)
        #expect(outcome.status == 0 && outcome.complaints.isEmpty)
        return outcome.output.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
    }

    @Test func commandsAndKindsAreOffered() async {
        #expect(await candidates("de") == ["describe", "delete"])
        #expect(await candidates("") == CommandTable.list().map(\.name))
        #expect(await candidates("config", "use-") == ["use-context"])
        #expect(await candidates("get", "a") == ["actors", "atespaces"])
        #expect(await candidates("--timeout", "5s", "resume", "") == ["actor"])
        #expect(await candidates("completion", "") == ["bash", "zsh", "fish"])
        #expect(await candidates("nonsense", "") == [])
        #expect(await candidates("get", "actors", "x", "") == [])
    }

    @Test func flagsAndTheirValuesAreOffered() async {
        #expect(await candidates("get", "--out") == ["--output"])
        #expect(await candidates("get", "-o", "") == ["table", "wide", "json", "yaml", "name"])
        #expect(await candidates("get", "actors", "--output=j") == ["--output=json"])
        #expect(await candidates("wait", "--for", "status=RU") == ["status=RUNNING"])
        #expect(await candidates("apply", "-f", "") == [":files"])
        #expect(await candidates("get", "--api-cacert=") == [":files"])
        #expect(await candidates("admin", "make-ca-pool", "") == [":files"])
        for command in CommandTable.commands {
            let arguments = ["__complete"] + command.words + ["--"]
            let offered = await atectl(arguments).output
            for flag in command.allFlags.declared { #expect(offered.contains("--\(flag.name)\t"), "\(command.path)") }
        }
    }

    @Test func contextsAreOffered() async {
        let environment = ["ATECTL_CONFIG": folder.path("config.yaml")]
        for name in ["one", "two"] { _ = await atectl("config set-context \(name)", environment: environment) }
        #expect(await candidates("config", "use-context", "", environment: environment) == ["one", "two"])
        #expect(await candidates("get", "--context", "t", environment: environment) == ["two"])
    }

    @Test func namesAreAskedFromTheControlPlane() async throws {
        try await CLIHarness.run { cli in
            await cli.atectl("create atespace team")
            await cli.atectl("create actor alice --template template")
            await cli.atectl("create actor anna --template template -a team")
            let environment = cli.environment
            #expect(await candidates("get", "actors", "", environment: environment) == ["alice"])
            #expect(await candidates("resume", "actor", "-a", "team", "a", environment: environment) == ["anna"])
            #expect(await candidates("get", "actors", "-a", "", environment: environment) == ["default", "team"])
            #expect(await candidates("describe", "worker", "", environment: environment) == ["node-0", "node-1"])
            #expect(
                await candidates("create", "actor", "x", "--template", "", environment: environment) == ["template"])
            #expect(await candidates("get", "pools", "-n", "other", "", environment: environment) == ["default/pool"])
            // There is nothing to offer for the name of what is to be made.
            #expect(await candidates("create", "actor", "", environment: environment) == [])
        }
        #expect(await candidates("get", "actors", "", environment: ["ATE_ENDPOINT": "127.0.0.1:1"]) == [])
    }

    /// What bash makes of the line with our script and our binary.
    private func bash(_ line: String) async throws -> [String] {
        let script = folder.path("complete.bash")
        try Data(
            """
            PATH="\(builtPrograms):$PATH"
            source <(atectl completion bash)
            COMP_LINE=$1 COMP_POINT=${#1}
            _atectl
            printf '%s\\n' "${COMPREPLY[@]}"
            """.utf8
        ).write(to: URL(filePath: script))
        let output = try await Tool.output("bash", [script, line])
        return output.split(separator: "\n").map(String.init)
    }

    @Test func bashIsToldWhatComesBehindItsLastSeparator() async throws {
        #expect(try await bash("atectl de") == ["describe", "delete"])
        #expect(try await bash("atectl get -o ") == ["table", "wide", "json", "yaml", "name"])
        #expect(try await bash("atectl get --output=j") == ["json"])
        #expect(try await bash("atectl wait --for=status=PAUS") == ["PAUSING", "PAUSED"])
        let file = folder.path("manifest.yaml")
        try Data().write(to: URL(filePath: file))
        #expect(try await bash("atectl apply -f \(folder.path("mani"))") == [file])
    }
}
