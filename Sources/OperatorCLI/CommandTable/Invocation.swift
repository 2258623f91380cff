internal import ServiceKit
internal import SubstrateModel

/// One run of a command: its flags, what a context says where they do not, and the terminal.
struct Invocation: Sendable {
    let values: Flags.Values
    let terminal: Terminal
    /// The context that is in use.
    let context: ServerContext?

    /// - Throws: `FlagError` when a context is asked for that there is not, or the file of contexts cannot be used.
    init(_ command: Command, _ values: Flags.Values, _ terminal: Terminal) throws(FlagError) {
        self.terminal = terminal
        var defaults = ["endpoint": SharedFlags.defaultEndpoint]
        context = command.reach == .api ? try ServerContext.chosen(by: values, terminal.environment) : nil
        if let context {
            defaults.merge(context.settings) { $1 }
        } else if let endpoint = terminal.environment["ATE_ENDPOINT"], !endpoint.isEmpty {
            defaults["endpoint"] = endpoint
        }
        self.values = values.withDefaults(defaults)
    }

    var atespace: String { values.optional("atespace") ?? Atespace.defaultName }
    var isEverywhere: Bool { values.isSet("all-atespaces") }

    var format: OutputFormat { values.optional("output").flatMap(OutputFormat.init) ?? .table }

    func show<Object>(_ view: View<Object>, _ objects: [Object]) throws {
        try terminal.write(view.text(objects, as: format, coloured: terminal.showsColours))
    }

    func say(_ line: String) throws { try terminal.write("\(line)\n") }

    /// `namespace/name`, or a name in the namespace that `--namespace` says.
    func pair(_ text: String, _ what: String) throws(FlagError) -> (namespace: String, name: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1 where !parts[0].isEmpty: return (values.optional("namespace") ?? "default", parts[0])
        case 2 where !parts[0].isEmpty && !parts[1].isEmpty: return (parts[0], parts[1])
        default: throw FlagError("\(what) \(text): must be <namespace>/<name>")
        }
    }
}

/// What a command could not do, in one line.
struct CommandError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
