internal import Foundation
internal import ProgramKit
internal import ServiceKit

/// `atectl`: the command line for people.
package enum OperatorCLI {
    private static let verbs: [(name: String, run: @Sendable (CommandContext) async throws -> Void)] = [
        ("apply", Apply.run), ("create", Create.run), ("get", Get.run), ("list", Get.run),
        ("resume", Lifecycle.resume), ("suspend", Lifecycle.suspend), ("pause", Lifecycle.pause),
        ("delete", Delete.run),
    ]

    /// Does what the arguments say and exits: 0 when it was done, 1 when not, 2 when they cannot be understood.
    package static func main(_ arguments: [String]) async -> Never {
        do {
            switch try flags.parse(arguments) {
            case .help(let text): print(text, terminator: "")
            case .values(let values): try await run(values)
            }
            exit(0)
        } catch let error as FlagError {
            Program.fail("\(error)", code: 2)
        } catch {
            Program.fail("\(error)", code: 1)
        }
    }

    private static func run(_ values: Flags.Values) async throws {
        guard let name = values.operands.first else {
            throw FlagError("what is to be done? atectl --help shows the commands")
        }
        guard let verb = verbs.first(where: { $0.name == name }) else {
            let known = verbs.map(\.name).joined(separator: ", ")
            throw FlagError("unknown command \(name); one of: \(known)")
        }
        try await verb.run(try CommandContext(values: values))
    }

    static var flags: Flags {
        var flags = Flags(
            program: "atectl",
            summary: "Creates, shows, resumes, suspends, pauses and deletes actors, and what they need.",
            usage: """
                atectl COMMAND [arguments] [flags]

                Commands:
                  apply -f FILE                     create or replace WorkerPools and create ActorTemplates of YAML files
                  create actor NAME --template T    a new actor, SUSPENDED until it is resumed or asked for
                  create atespace NAME
                  get KIND [NAME]                   KIND: actors, atespaces, workers, pools, templates; list is the same
                  resume actor NAME                 put it on a free worker, from its last snapshot
                  suspend actor NAME                write a snapshot and free the worker
                  pause actor NAME                  the same, quicker: the snapshot stays on the node, to be resumed there
                  delete KIND NAME                  KIND: actor, atespace, pool, template
                """)
        flags.text(
            "endpoint", "ADDRESS", default: ProcessInfo.processInfo.environment["ATE_ENDPOINT"] ?? "127.0.0.1:7300",
            help: "The control plane's API, host:port. The default is ATE_ENDPOINT of the environment, if set.")
        TLSFlags.declareClient("api", of: "the control plane", in: &flags)
        TokenFlag.declare("api", of: "the control plane", in: &flags)
        flags.duration("timeout", default: "60s", help: "How long one call to it may take.")
        flags.text("atespace", "NAME", default: "default", short: "a", help: "The atespace of the actor.")
        flags.toggle("all-atespaces", short: "A", help: "get actors: of all atespaces.")
        flags.choice("output", ["table", "json", "yaml"], default: "table", short: "o", help: "How results are shown.")
        flags.text(
            "filename", "FILE", isRepeatable: true, short: "f",
            help: "apply: a file, of any number of documents; - for standard input.")
        flags.text("template", "NAMESPACE/NAME", help: "create actor: what it is made of.")
        flags.text(
            "selector", "LABEL=VALUE", isRepeatable: true,
            help: "create actor: a label that the worker's pool must have.")
        flags.toggle("boot", help: "resume actor: start from the template rather than from its golden snapshot.")
        return flags
    }
}
