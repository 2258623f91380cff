internal import Foundation
internal import ServiceKit

/// `config set-context NAME`
extension ConfigCommands {
    static let setContext = Command(
        words: ["config", "set-context"], summary: "makes a context, or changes what the flags say of one",
        details: """
            What is not said stays as it is. The first context becomes the current one. Files may be named in the file of contexts
            relative to its folder; this command writes their whole paths.
            """,
        examples: [
            "config set-context local --endpoint 127.0.0.1:7300",
            "config set-context production --endpoint ate.example.org:443 --api-cacert ca.pem --api-token-file token -a team",
        ], reach: .contextFile,
        flags: { flags in
            SharedFlags.atespace(&flags)
            SharedFlags.connection(&flags)
        },
        action: .word("NAME", .contexts) { name, invocation in
            guard !name.isEmpty else { throw FlagError("the NAME of the context is empty") }
            var file = try ContextFile.read(invocation.values, invocation.terminal.environment, mayBeMissing: true)
            let isNew = !file.contexts.contains { $0.name == name }
            if isNew { file.contexts.append(ServerContext(name: name, folder: file.folder)) }
            for index in file.contexts.indices where file.contexts[index].name == name {
                change(&file.contexts[index], invocation.values)
            }
            if isNew, file.contexts.count == 1 { file.current = name }
            try file.write()
            try invocation.say("context \"\(name)\" \(isNew ? "created" : "changed")")
        })

    private static func change(_ context: inout ServerContext, _ values: Flags.Values) {
        for field in ServerContext.fields where values.isGiven(field.flag) {
            guard let value = values.optional(field.flag) else { continue }
            context.written[field.flag] = field.isPath ? URL(filePath: value).standardizedFileURL.path : value
        }
    }
}
