internal import Foundation
internal import ServiceKit

/// `atectl`: the command line for people.
package enum OperatorCLI {
    /// Does what the arguments say and exits with the status of `run`.
    package static func main(_ arguments: [String]) async -> Never { exit(await run(arguments, .standard)) }

    /// Does what the arguments say.
    /// - Returns: 0 when it was done, 1 when not, 2 when the arguments cannot be understood.
    static func run(_ arguments: [String], _ terminal: Terminal) async -> Int32 {
        do {
            if arguments.first == Completer.command {
                try await Completer(terminal).run(Array(arguments.dropFirst()))
                return 0
            }
            if arguments.first == "--version" {
                try terminal.write("atectl \(Version.current)\n")
                return 0
            }
            switch try CommandTable.read(arguments) {
            case .help(let text): try terminal.write(text)
            case .run(let command, let values): try await command.run(try Invocation(command, values, terminal))
            }
            return 0
        } catch {
            terminal.complain("atectl: \(error)\n")
            return error is FlagError ? 2 : 1
        }
    }
}
