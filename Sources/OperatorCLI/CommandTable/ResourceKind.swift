internal import ServiceKit

/// The kinds of objects that commands are about.
enum ResourceKind: String, CaseIterable, Sendable, CustomStringConvertible {
    case actor
    case atespace
    case worker
    case pool
    case template
    /// What an agent offers workers on: known by its workers only.
    case node

    /// Those that can be shown.
    static let shown = allCases.filter { $0 != .node }

    var plural: String { "\(rawValue)s" }
    var description: String { rawValue }

    /// All words for it: its own first, and those of the manifests and of the reference's users.
    var words: [String] {
        switch self {
        case .actor, .atespace, .worker, .node: [rawValue, plural]
        case .pool: [rawValue, plural, "workerpool", "workerpools"]
        case .template: [rawValue, plural, "actortemplate", "actortemplates"]
        }
    }

    /// The kind that a word names.
    /// - Parameter kinds: those that the command is about.
    static func named(_ word: String, among kinds: [ResourceKind], of command: String) throws(FlagError) -> ResourceKind
    {
        if let kind = kinds.first(where: { $0.words.contains(word.lowercased()) }) { return kind }
        let names = kinds.map(\.rawValue).joined(separator: ", ")
        if let kind = allCases.first(where: { $0.words.contains(word.lowercased()) }) {
            throw FlagError("\(command) does not work on \(kind.plural); only on: \(names)")
        }
        let nearest = Suggestion.nearest(to: word, of: kinds.flatMap(\.words)).map { " (did you mean \($0)?)" } ?? ""
        throw FlagError("\(command) \(word): there is no such thing\(nearest); one of: \(names)")
    }
}
