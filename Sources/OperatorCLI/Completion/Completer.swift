internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// Answers the shells' completion scripts: what the last word of an unfinished command line may become. Commands, flags and
/// operands come from the table of commands, names from the control plane.
struct Completer {
    /// The hidden command that the scripts call, with the words of the line.
    static let command = "__complete"
    /// The last line of an answer when the shell should offer files.
    static let files = ":files"
    /// Longer than this nobody waits for the names to appear.
    private static let patience = Duration.seconds(1)

    struct Candidate {
        var word: String
        var summary = ""

        var line: String { summary.isEmpty ? "\(word)\n" : "\(word)\t\(summary)\n" }
    }

    private let terminal: Terminal

    init(_ terminal: Terminal) { self.terminal = terminal }

    /// Prints a line per candidate, with a tab before what is to be said of it.
    func run(_ words: [String]) async throws {
        let partial = words.last ?? ""
        let line = CommandLine(Array(words.dropLast()))
        let (prefix, candidates) = line.candidates(for: partial)
        switch candidates {
        case .files: try terminal.write("\(Self.files)\n")
        case .list(let list): try write(list, prefix, partial)
        case .contexts: try write(contexts(line).map { Candidate(word: $0) }, prefix, partial)
        case .names(let kind): try write(await names(of: kind, line).map { Candidate(word: $0) }, prefix, partial)
        }
    }

    private func write(_ candidates: [Candidate], _ prefix: String, _ partial: String) throws {
        let fitting = candidates.map { Candidate(word: prefix + $0.word, summary: $0.summary) }
            .filter { $0.word.hasPrefix(partial) }
        try terminal.write(fitting.map(\.line).joined())
    }

    private func contexts(_ line: CommandLine) -> [String] {
        guard let values = line.values else { return [] }
        return (try? ContextFile.read(values, terminal.environment).contexts.map(\.name)) ?? []
    }

    /// The names of what there is; none when the control plane does not answer.
    private func names(of kind: ResourceKind, _ line: CommandLine) async -> [String] {
        guard let command = line.command, let values = line.values,
            let invocation = try? Invocation(command, values, terminal),
            let api = try? APIClient(invocation, timeout: Self.patience)
        else { return [] }
        let reader = ResourceReader(api: api)
        func short(_ namespace: String, _ name: String) -> String {
            namespace == values.optional("namespace") ?? "default" ? name : "\(namespace)/\(name)"
        }
        let names: [String]? =
            switch kind {
            // The first page: more than that nobody reads.
            case .actor:
                try? await api.call(
                    ControlMethods.listActors, ListActorsRequest(pageSize: 500, atespace: invocation.atespace)
                ).actors.map(\.ref.name)
            case .atespace: try? await reader.atespaces()
            case .worker: try? await reader.workers().map(\.ref.pod)
            case .node: try? await Set(reader.workers().map(\.node)).filter { !$0.isEmpty }.sorted()
            case .pool: try? await reader.pools().map { short($0.ref.namespace, $0.ref.name) }
            case .template: try? await reader.templates().map { short($0.ref.namespace, $0.ref.name) }
            }
        return names?.sorted() ?? []
    }
}
