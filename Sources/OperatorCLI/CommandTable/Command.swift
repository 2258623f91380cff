internal import ServiceKit

/// A command, as the table has it: parsing, help and completion all go by this.
struct Command: Sendable {
    /// What it is called by: `get`, or `config` and `use-context`.
    let words: [String]
    /// Other words for the last one.
    var aliases: [String] = []
    /// One line without a full stop, for lists of commands.
    let summary: String
    /// Further sentences for its own help.
    var details = ""
    /// Command lines without the program's name.
    var examples: [String] = []
    var reach = Reach.api
    /// Whether the name of an object is that of one that there is not yet.
    var makesNames = false
    /// Declares its own flags.
    var flags: @Sendable (inout Flags) -> Void = { _ in }
    let action: Action

    var path: String { (["atectl"] + words).joined(separator: " ") }

    /// All the flags that it takes.
    var allFlags: Flags {
        var all = Flags(
            program: path, summary: heading, usage: "\(path)\(action.usage) [flags]",
            examples: examples.map { "atectl \($0)" })
        flags(&all)
        all.beginSection("Connection")
        if reach == .api {
            SharedFlags.connection(&all)
            SharedFlags.context(&all)
        }
        if reach != .nothing { SharedFlags.contextFile(&all) }
        return all
    }

    private var heading: String {
        var text = summary.prefix(1).uppercased() + summary.dropFirst() + "."
        if !details.isEmpty { text += "\n\n\(details)" }
        if !aliases.isEmpty { text += "\n\nAlso called: \(aliases.joined(separator: ", "))" }
        return text
    }
}

extension Command {
    /// What it works with beside its arguments. It has the flags for that.
    enum Reach {
        /// The control plane, which a context may name.
        case api
        /// The file of contexts.
        case contextFile
        case nothing
    }

    /// What follows the command's words, and what is done with it.
    enum Action: Sendable {
        /// Nothing.
        case alone(@Sendable (Invocation) async throws -> Void)
        /// `KIND [NAME]`
        case objects([ResourceKind], @Sendable (ResourceKind, String?, Invocation) async throws -> Void)
        /// `KIND NAME`
        case object([ResourceKind], @Sendable (ResourceKind, String, Invocation) async throws -> Void)
        /// `[actor] NAME`: there is only one kind of object that it can be about.
        case actor(@Sendable (String, Invocation) async throws -> Void)
        /// One word that is no object.
        case word(String, Candidates, @Sendable (String, Invocation) async throws -> Void)

        var kinds: [ResourceKind] {
            switch self {
            case .objects(let kinds, _), .object(let kinds, _): kinds
            case .actor: [.actor]
            case .alone, .word: []
            }
        }

        /// As the usage shows it, with a space before it.
        var usage: String {
            switch self {
            case .alone: ""
            case .objects(let kinds, _): " \(Self.choice(of: kinds)) [NAME]"
            case .object(let kinds, _): " \(Self.choice(of: kinds)) NAME"
            case .actor: " [actor] NAME"
            case .word(let placeholder, _, _): " \(placeholder)"
            }
        }

        private static func choice(of kinds: [ResourceKind]) -> String { kinds.map(\.rawValue).joined(separator: "|") }
    }

    /// What completion offers for a word.
    enum Candidates: Sendable {
        case words([String])
        case files
        case contexts
    }

    /// Does what was asked for.
    /// - Throws: `FlagError` when operands are missing or too many.
    func run(_ invocation: Invocation) async throws {
        var operands = action.kinds.isEmpty ? invocation.values.operands : Self.split(invocation.values.operands)
        switch action {
        case .alone(let body):
            try refuse(operands)
            try await body(invocation)
        case .objects(let kinds, let body):
            let kind = try takeKind(&operands, kinds)
            let name = operands.isEmpty ? nil : operands.removeFirst()
            try refuse(operands)
            try await body(kind, name, invocation)
        case .object(let kinds, let body):
            let kind = try takeKind(&operands, kinds)
            try await body(kind, try takeName(&operands, of: kind), invocation)
        case .actor(let body):
            if let first = operands.first, operands.count > 1 || ResourceKind.actor.words.contains(first) {
                _ = try takeKind(&operands, [.actor])
            }
            try await body(try takeName(&operands, of: .actor), invocation)
        case .word(let placeholder, _, let body):
            guard !operands.isEmpty else { throw FlagError("\(placeholder) is missing: \(path) \(placeholder)") }
            let word = operands.removeFirst()
            try refuse(operands)
            try await body(word, invocation)
        }
    }

    /// `kind/name`, as `-o name` prints it, is a kind and a name.
    private static func split(_ operands: [String]) -> [String] {
        guard let first = operands.first else { return [] }
        return first.split(separator: "/", maxSplits: 1).map(String.init) + operands.dropFirst()
    }

    private func takeKind(_ operands: inout [String], _ kinds: [ResourceKind]) throws(FlagError) -> ResourceKind {
        guard !operands.isEmpty else {
            throw FlagError("\(path) what? One of: \(kinds.map(\.rawValue).joined(separator: ", "))")
        }
        return try .named(operands.removeFirst(), among: kinds, of: path)
    }

    /// The name, with which the line ends.
    private func takeName(_ operands: inout [String], of kind: ResourceKind) throws(FlagError) -> String {
        guard !operands.isEmpty else {
            throw FlagError("the name of the \(kind) is missing: \(path) \(kind) NAME")
        }
        let name = operands.removeFirst()
        try refuse(operands)
        return name
    }

    private func refuse(_ operands: [String]) throws(FlagError) {
        if let first = operands.first {
            throw FlagError("unexpected argument \(first); \(path) --help shows the usage")
        }
    }
}
