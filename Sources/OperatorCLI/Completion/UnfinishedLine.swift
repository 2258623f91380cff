internal import ServiceKit

extension Completer {
    /// The words of a command line before the one that is being completed, and what they say about it.
    struct CommandLine {
        /// What can stand in a place.
        enum Place {
            case list([Candidate])
            case files
            case contexts
            case names(of: ResourceKind)

            static let nothing = Place.list([])
        }

        private let lookup: CommandTable.Lookup?
        private let flags: Flags
        /// The flag whose value is being completed.
        private let pending: Flags.Flag?
        let values: Flags.Values?

        init(_ words: [String]) {
            // A flag at the end that waits for its value keeps the line from being understood.
            let waits = words.last?.hasPrefix("-") == true && (try? CommandTable.find(words)) == nil
            let complete = waits ? words.dropLast() : words
            let lookup = try? CommandTable.find(complete)
            self.lookup = lookup
            var rest = complete
            var flags = CommandTable.leadingFlags
            if case .command(let command, let arguments) = lookup { (flags, rest) = (command.allFlags, arguments) }
            self.flags = flags
            pending = words.last.flatMap { last in flags.declared.first { $0.takesValue && $0.isWritten(last) } }
            if pending != nil, rest.last == words.last { rest.removeLast() }
            if case .values(let values) = try? flags.parse(rest) { self.values = values } else { values = nil }
        }

        var command: Command? { if case .command(let command, _) = lookup { command } else { nil } }

        /// What the word may become.
        /// - Returns: with what stands before every candidate.
        func candidates(for partial: String) -> (prefix: String, Place) {
            if let pending { return ("", place(of: pending)) }
            if partial.hasPrefix("--"), let equals = partial.firstIndex(of: "=") {
                let name = partial[..<equals].dropFirst(2)
                let flag = flags.declared.first { $0.name == name }
                return (String(partial[...equals]), flag.map(place) ?? .nothing)
            }
            if partial.hasPrefix("-") {
                let names = flags.declared.map { Candidate(word: "--\($0.name)", summary: $0.firstSentence) }
                return ("", .list(names + [Candidate(word: "--help", summary: "Shows this command's help")]))
            }
            return ("", placeOfOperand)
        }

        private var placeOfOperand: Place {
            switch lookup {
            case .command(let command, _): operand(of: command)
            case .group(let group):
                .list(CommandTable.list(of: group).map { Candidate(word: $0.name, summary: $0.summary) })
            case .nothing: .list(CommandTable.list().map { Candidate(word: $0.name, summary: $0.summary) })
            case nil: .nothing
            }
        }

        private func operand(of command: Command) -> Place {
            guard let operands = values?.operands else { return .nothing }
            switch (command.action, operands.count) {
            case (.objects(let kinds, _), 0): return .list(kinds.map { Candidate(word: $0.plural) })
            case (.object(let kinds, _), 0): return .list(kinds.map { Candidate(word: $0.rawValue) })
            case (.actor, 0): return .names(of: .actor)
            case (.actor, 1) where ResourceKind.actor.words.contains(operands[0]): return .names(of: .actor)
            case (.objects(let kinds, _), 1), (.object(let kinds, _), 1):
                guard !command.makesNames, let kind = kinds.first(where: { $0.words.contains(operands[0]) }) else {
                    return .nothing
                }
                return .names(of: kind)
            case (.word(_, let candidates, _), 0): return place(candidates)
            default: return .nothing
            }
        }

        private func place(_ candidates: Command.Candidates) -> Place {
            switch candidates {
            case .words(let words): .list(words.map { Candidate(word: $0) })
            case .files: .files
            case .contexts: .contexts
            }
        }

        /// The placeholder tells what kind of value a flag takes.
        private func place(of flag: Flags.Flag) -> Place {
            if case .choice(let choices) = flag.kind { return .list(choices.map { Candidate(word: $0) }) }
            switch flag.placeholder {
            case "FILE": return .files
            case "CONTEXT": return .contexts
            case "ATESPACE": return .names(of: .atespace)
            case "TEMPLATE": return .names(of: .template)
            case Wait.placeholder: return .list(Wait.Condition.words.map { Candidate(word: $0) })
            default: return .nothing
            }
        }
    }
}

extension Flags.Flag {
    fileprivate func isWritten(_ word: String) -> Bool { word == "--\(name)" || short.map { word == "-\($0)" } == true }

    fileprivate var firstSentence: String { String(help.prefix { $0 != "." }) }
}
