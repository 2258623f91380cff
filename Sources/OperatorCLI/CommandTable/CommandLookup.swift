internal import ServiceKit

extension CommandTable {
    /// What a command line asks for.
    enum Request {
        case help(String)
        case run(Command, Flags.Values)
    }

    /// How far a command line names a command.
    enum Lookup {
        /// With the arguments that are left.
        case command(Command, [String])
        /// Its second word is missing.
        case group(String)
        case nothing
    }

    /// Reads a command line.
    /// - Throws: `FlagError` for what cannot be understood.
    static func read(_ arguments: [String]) throws(FlagError) -> Request {
        // As it is with others: `help get` is `get --help`.
        if arguments.first == "help" { return try read(arguments.dropFirst() + ["--help"]) }
        switch try find(arguments) {
        case .command(let command, let rest):
            switch try command.allFlags.parse(rest) {
            case .help(let text): return .help(text)
            case .values(let values): return .run(command, values)
            }
        case .group(let group):
            if asksForHelp(arguments) { return .help(help(of: group)) }
            throw FlagError("\(group) what? One of: \(list(of: group).map(\.name).joined(separator: ", "))")
        case .nothing:
            if asksForHelp(arguments) { return .help(leadingFlags.helpText) }
            throw FlagError("what is to be done? atectl --help shows the commands")
        }
    }

    private static func asksForHelp(_ arguments: [String]) -> Bool {
        arguments.contains("--help") || arguments.contains("-h")
    }

    /// Finds the command whose words come first among what is no flag.
    /// - Throws: `FlagError` for words that name none.
    static func find(_ arguments: [String]) throws(FlagError) -> Lookup {
        let flags = leadingFlags
        guard let first = try flags.indexOfFirstOperand(arguments[...]) else { return .nothing }
        var rest = arguments
        let word = rest.remove(at: first)
        if let command = commands.first(where: { $0.answers(to: [word]) }) { return .command(command, rest) }
        guard groups.contains(where: { $0.word == word }) else {
            throw unknown(word, "atectl", list().map(\.name))
        }
        guard let second = try flags.indexOfFirstOperand(rest[first...]) else { return .group(word) }
        let other = rest.remove(at: second)
        guard let command = commands.first(where: { $0.answers(to: [word, other]) }) else {
            throw unknown(other, "atectl \(word)", list(of: word).map(\.name))
        }
        return .command(command, rest)
    }

    private static func unknown(_ word: String, _ path: String, _ names: [String]) -> FlagError {
        let nearest = Suggestion.nearest(to: word, of: names).map { " (did you mean \($0)?)" } ?? ""
        return FlagError("unknown command \(word)\(nearest); \(path) --help shows them")
    }
}

extension Command {
    fileprivate func answers(to given: [String]) -> Bool {
        guard given.count == words.count, let last = given.last else { return false }
        return given == words || (given.dropLast() == words.dropLast() && aliases.contains(last))
    }
}
