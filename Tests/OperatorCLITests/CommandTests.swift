import ServiceKit
import Testing

@testable import OperatorCLI

/// What atectl says of itself, and to those who mistype.
@Suite struct CommandTests {
    /// What a mistake is answered with, which is one line and the status for what cannot be understood.
    private func mistake(_ line: String, sourceLocation: SourceLocation = #_sourceLocation) async -> String {
        let outcome = await atectl(line)
        #expect(outcome.status == 2 && outcome.output.isEmpty, sourceLocation: sourceLocation)
        #expect(outcome.complaints.hasPrefix("atectl: "), sourceLocation: sourceLocation)
        #expect(outcome.complaints.count { $0 == "\n" } == 1, sourceLocation: sourceLocation)
        return String(outcome.complaints.dropFirst("atectl: ".count).dropLast())
    }

    @Test func everyCommandExplainsItself() async {
        for command in CommandTable.commands {
            let outcome = await atectl(command.words + ["--help"])
            #expect(outcome.status == 0 && outcome.complaints.isEmpty)
            #expect(outcome.output.contains("Usage: \(command.path)"), "\(command.path)")
            #expect(outcome.output.lowercased().contains(command.summary.lowercased()), "\(command.path)")
            for flag in command.allFlags.declared {
                #expect(outcome.output.contains("--\(flag.name)"), "\(command.path) \(flag.name)")
            }
            let asked = await atectl(["help"] + command.words)
            #expect(asked.output == outcome.output)
        }
    }

    @Test func everyExampleIsUnderstood() throws {
        for command in CommandTable.commands {
            for example in command.examples {
                // Up to where the shell takes over; what is in quotes is one word.
                let line = example.split(separator: /[<>]/)[0]
                let words = line.split(separator: "'").enumerated().flatMap { index, part in
                    index % 2 == 1 ? [String(part)] : part.split(separator: " ").map(String.init)
                }
                guard case .run(let found, _) = try CommandTable.read(words) else {
                    Issue.record("\(example) shows help")
                    continue
                }
                #expect(found.words == command.words, "\(example)")
            }
        }
    }

    @Test func theOverviewNamesEveryCommand() async {
        let overview = await atectl("--help").output
        for command in CommandTable.commands { #expect(overview.contains("\n  \(command.words[0]) ")) }
        let config = await atectl("config --help").output
        #expect(config.contains("use-context") && !config.contains("make-jwt-pool"))
    }

    @Test func whatIsMistypedIsAnsweredWithWhatMayBeMeant() async {
        #expect(await mistake("") == "what is to be done? atectl --help shows the commands")
        #expect(await mistake("gte actors") == "unknown command gte (did you mean get?); atectl --help shows them")
        #expect(await mistake("xyzzy") == "unknown command xyzzy; atectl --help shows them")
        #expect(
            await mistake("config use-contxt a")
                == "unknown command use-contxt (did you mean use-context?); atectl config --help shows them")
        #expect(
            await mistake("admin") == "admin what? One of: make-jwt-pool, make-ca-pool")
        #expect(
            await mistake("get actros")
                == "atectl get actros: there is no such thing (did you mean actors?); one of: actor, atespace, worker, pool, template"
        )
        #expect(await mistake("get") == "atectl get what? One of: actor, atespace, worker, pool, template")
        #expect(await mistake("resume actor") == "the name of the actor is missing: atectl resume actor NAME")
        #expect(await mistake("resume pool x") == "atectl resume does not work on pools; only on: actor")
        #expect(
            await mistake("delete actor a b") == "unexpected argument b; atectl delete --help shows the usage")
        #expect(
            await mistake("get actors --outptu json")
                == "unknown flag --outptu (did you mean --output?); atectl get --help lists them")
        #expect(await mistake("-A get actors") == "unknown flag -A; atectl --help lists them")
        #expect(await mistake("completion tcsh").hasPrefix("completion tcsh: there is none for that shell"))
        #expect(await mistake("create actor x") == "create actor needs --template NAMESPACE/NAME")
    }

    @Test func flagsThatDoNotFitTheKindAreRefused() async {
        #expect(await mistake("get pools -w") == "-w: pools cannot be watched; only actors and workers can")
        #expect(await mistake("get workers -l a=b").hasPrefix("-l: workers have no labels"))
        #expect(await mistake("get actor x -A").hasPrefix("-A lists"))
        #expect(await mistake("get actors -l a=(").hasPrefix("-l a=(: a parenthesis is not closed"))
        #expect(
            await mistake("wait actor x --for status=RUNING")
                == "--for status=RUNING: there is no such status (did you mean RUNNING?); one of "
                + "RESUMING, RUNNING, SUSPENDING, SUSPENDED, PAUSING, PAUSED")
        #expect(await mistake("wait actor x") == "--for is required; see atectl wait --help")
    }

    @Test func aServerThatIsNotThereIsNamed() async {
        for line in ["get actors", "get actors -w", "wait --for=delete actor x", "describe actor x", "delete actor x"] {
            let outcome = await atectl("\(line) --endpoint 127.0.0.1:1 --timeout 5s")
            #expect(outcome.status == 1)
            #expect(
                outcome.complaints.hasPrefix("atectl: the API at 127.0.0.1:1 is unavailable: "), "\(outcome.complaints)"
            )
            #expect(outcome.complaints.contains("see --endpoint") && outcome.complaints.count { $0 == "\n" } == 1)
        }
    }

    @Test func flagsMayStandBeforeTheCommand() async {
        let outcome = await atectl("--endpoint 127.0.0.1:1 -o json get --timeout 5s actors")
        #expect(outcome.complaints.hasPrefix("atectl: the API at 127.0.0.1:1 is unavailable"))
    }
}
