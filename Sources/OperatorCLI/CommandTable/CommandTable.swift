internal import ServiceKit

/// All commands.
enum CommandTable {
    /// In the order in which help shows them.
    static let commands: [Command] =
        [
            Get.command, Describe.command, Logs.command, Wait.command, Apply.command, Create.command, Delete.command,
            Lifecycle.resume, Lifecycle.suspend, Lifecycle.pause, Lifecycle.releaseHold,
            Drain.drain, Drain.undrain,
        ] + ConfigCommands.all + AdminCommands.all + [CompletionCommand.command]

    /// Commands whose first word is the same, with what is said of them together.
    static let groups: [(word: String, summary: String)] = [
        ("config", "the contexts: servers by name, and how to talk to them"),
        ("admin", "keys for a control plane"),
    ]

    /// Flags that may stand before the command.
    static var leadingFlags: Flags {
        var flags = Flags(
            program: "atectl", summary: overview, usage: "atectl COMMAND [arguments] [flags]")
        SharedFlags.atespace(&flags)
        SharedFlags.namespace(&flags)
        SharedFlags.output(&flags)
        SharedFlags.timeout(&flags)
        SharedFlags.connection(&flags)
        SharedFlags.context(&flags)
        SharedFlags.contextFile(&flags)
        return flags
    }

    /// A list of commands; of those of one group when `group` names one.
    static func list(of group: String? = nil) -> [(name: String, summary: String)] {
        if let group {
            return commands.filter { $0.words.count == 2 && $0.words[0] == group }.map { ($0.words[1], $0.summary) }
        }
        return commands.filter { $0.words.count == 1 }.map { ($0.words[0], $0.summary) }
            + groups.map { ($0.word, $0.summary) } + [("help", "what atectl, or a command, does")]
    }

    private static func lines(_ list: [(name: String, summary: String)]) -> String {
        let width = list.map(\.name.count).max() ?? 0
        return list.map { "  " + $0.name + String(repeating: " ", count: width - $0.name.count + 2) + $0.summary }
            .joined(separator: "\n")
    }

    private static var overview: String {
        "Shows, makes, changes and waits for actors, and what they need.\n\nCommands:\n\(lines(list()))\n\n"
            + "atectl COMMAND --help explains a command. The flags below may also stand before the command."
    }

    /// What the help of a group is.
    static func help(of group: String) -> String {
        let summary = groups.first { $0.word == group }.map(\.summary) ?? ""
        return summary.prefix(1).uppercased() + summary.dropFirst() + ".\n\nUsage: atectl \(group) COMMAND [flags]\n\n"
            + "Commands:\n\(lines(list(of: group)))\n\natectl \(group) COMMAND --help explains a command.\n"
    }
}
