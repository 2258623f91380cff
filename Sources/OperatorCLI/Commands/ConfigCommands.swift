internal import Foundation
internal import ServiceKit

/// `config ...`: what is done with the file of contexts.
enum ConfigCommands {
    static let all = [getContexts, currentContext, useContext, setContext, deleteContext, view]

    private static let getContexts = Command(
        words: ["config", "get-contexts"], summary: "lists the contexts; the current one has a star",
        reach: .contextFile,
        flags: { flags in
            flags.choice("output", ["table", "name"], default: "table", short: "o", help: "How they are shown.")
        },
        action: .alone { invocation in
            let file = try ContextFile.read(invocation.values, invocation.terminal.environment)
            if invocation.values.optional("output") == "name" {
                try invocation.terminal.write(file.contexts.map { "\($0.name)\n" }.joined())
                return
            }
            let rows = file.contexts.map { context in
                [
                    context.name == file.current ? "*" : "", context.name,
                    context.settings["endpoint"] ?? SharedFlags.defaultEndpoint,
                    context.written["api-cacert"] == nil && context.written["api-cert"] == nil ? "no" : "yes",
                    context.settings["atespace"] ?? "",
                ]
            }
            try invocation.terminal.write(Table.text(["CURRENT", "NAME", "ENDPOINT", "TLS", "ATESPACE"], rows))
        })

    private static let currentContext = Command(
        words: ["config", "current-context"], summary: "prints the name of the current context", reach: .contextFile,
        action: .alone { invocation in
            let file = try ContextFile.read(invocation.values, invocation.terminal.environment)
            guard let current = file.current else {
                throw CommandError("there is no current context; atectl config use-context NAME chooses one")
            }
            try invocation.say(current)
        })

    private static let useContext = Command(
        words: ["config", "use-context"], summary: "makes a context the current one",
        examples: ["config use-context production"], reach: .contextFile,
        action: .word("NAME", .contexts) { name, invocation in
            var file = try ContextFile.read(invocation.values, invocation.terminal.environment)
            file.current = try file.context(name).name
            try file.write()
            try invocation.say("switched to context \"\(name)\"")
        })

    private static let deleteContext = Command(
        words: ["config", "delete-context"], summary: "forgets a context; the files that it names stay",
        reach: .contextFile,
        action: .word("NAME", .contexts) { name, invocation in
            var file = try ContextFile.read(invocation.values, invocation.terminal.environment)
            _ = try file.context(name)
            file.contexts.removeAll { $0.name == name }
            let wasCurrent = file.current == name
            if wasCurrent { file.current = nil }
            try file.write()
            try invocation.say("deleted context \"\(name)\"\(wasCurrent ? "; there is no current context now" : "")")
        })

    private static let view = Command(
        words: ["config", "view"], summary: "prints the file of contexts",
        details: "The file names other files, and holds no secrets itself.", reach: .contextFile,
        action: .alone { invocation in
            try invocation.terminal.write(
                try ContextFile.read(invocation.values, invocation.terminal.environment).text)
        })
}
