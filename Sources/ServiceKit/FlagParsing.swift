extension Flags {
    package enum ParseResult {
        case values(Values)
        /// `--help` or `--version` was asked for.
        case help(String)
    }

    /// Parses the arguments behind the program's name.
    /// - Throws: `FlagError` for what is unknown, incomplete, out of range, or given twice.
    package func parse(_ arguments: [String]) throws(FlagError) -> ParseResult {
        var given: [String: [String]] = [:]
        var operands: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch try read(argument, &rest) {
            case .help: return .help(helpText)
            case .version: return .help("\(program) \(Version.current)\n")
            case .operand: operands.append(argument)
            case .flags(let values):
                for (flag, value) in values {
                    try check(value, for: flag)
                    if given[flag.name] != nil, !flag.isRepeatable { throw FlagError("--\(flag.name) is given twice") }
                    given[flag.name, default: []].append(value)
                }
            }
        }
        if haveFile, let path = given[ConfigurationFile.flag]?.last {
            for (name, values) in try read(path) where given[name] == nil { given[name] = values }
        }
        let defaults = Dictionary(
            uniqueKeysWithValues: declared.compactMap { flag in flag.defaultValue.map { (flag.name, [$0]) } })
        return .values(Values(program: program, values: given, defaults: defaults, operands: operands))
    }

    /// Where the first operand stands, for a program whose first operands say what further flags there are.
    /// - Returns: nil when there is none, or when `--help` comes before it.
    /// - Throws: `FlagError` for flags before it that are not declared here.
    package func indexOfFirstOperand(_ arguments: ArraySlice<String>) throws(FlagError) -> Int? {
        var rest = arguments
        while let argument = rest.first {
            let index = rest.startIndex
            rest = rest.dropFirst()
            switch try read(argument, &rest) {
            case .help, .version: return nil
            case .operand: return index
            case .flags: continue
            }
        }
        return nil
    }

    /// The flags of a configuration file.
    private func read(_ path: String) throws(FlagError) -> [String: [String]] {
        var given: [String: [String]] = [:]
        for (name, value, line) in try ConfigurationFile.entries(of: path) {
            guard let flag = declared.first(where: { $0.name == name }), name != ConfigurationFile.flag else {
                throw FlagError(
                    "\(path):\(line): unknown flag \(name)\(suggestion(for: name)); \(program) --help lists them")
            }
            do throws(FlagError) { try check(value, for: flag) } catch {
                throw FlagError("\(path):\(line): \(error)")
            }
            if given[name] != nil, !flag.isRepeatable { throw FlagError("\(path):\(line): \(name) is given twice") }
            given[name, default: []].append(value)
        }
        return given
    }

    private enum Reading {
        case help
        case version
        case operand
        /// In the order in which they stand; more than one when letters are put together.
        case flags([(Flag, value: String)])
    }

    /// Reads one argument, and the next one when it is the value of this one.
    private func read(_ argument: String, _ rest: inout ArraySlice<String>) throws(FlagError) -> Reading {
        if argument == "--help" || argument == "-h" { return .help }
        if argument == "--version" { return .version }
        guard argument.hasPrefix("-"), argument != "-", argument != "--" else { return .operand }
        guard argument.hasPrefix("--") else { return .flags(try letters(argument, &rest)) }
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0].dropFirst(2))
        guard let flag = declared.first(where: { $0.name == name }) else {
            throw FlagError("unknown flag --\(name)\(suggestion(for: name)); \(program) --help lists them")
        }
        return .flags([(flag, try parts.count == 2 ? String(parts[1]) : value(of: flag, &rest))])
    }

    /// Reads `-x`, `-x value`, `-xvalue`, `-x=value`, and switches together: `-xyz`.
    private func letters(_ argument: String, _ rest: inout ArraySlice<String>) throws(FlagError) -> [(Flag, String)] {
        var flags: [(Flag, String)] = []
        var left = argument.dropFirst()
        while let letter = left.popFirst() {
            guard let flag = declared.first(where: { $0.short == String(letter) }) else {
                let place = argument.count > 2 ? " in \(argument)" : ""
                throw FlagError("unknown flag -\(letter)\(place); \(program) --help lists them")
            }
            if left.first == "=" {
                flags.append((flag, String(left.dropFirst())))
                return flags
            }
            if flag.takesValue, !left.isEmpty {
                flags.append((flag, String(left)))
                return flags
            }
            flags.append((flag, try value(of: flag, &rest)))
        }
        return flags
    }

    private func value(of flag: Flag, _ rest: inout ArraySlice<String>) throws(FlagError) -> String {
        guard flag.takesValue else { return "true" }
        guard let next = rest.popFirst() else {
            throw FlagError("--\(flag.name) needs a value: --\(flag.name) \(flag.placeholder)")
        }
        return next
    }

    private func check(_ value: String, for flag: Flag) throws(FlagError) {
        switch flag.kind {
        case .text:
            if value.isEmpty { throw FlagError("--\(flag.name) is empty") }
        case .number(let range):
            guard let number = Int(value), range.contains(number) else {
                throw FlagError(
                    "--\(flag.name) \(value): not a number from \(range.lowerBound) to \(range.upperBound)")
            }
        case .duration:
            if Duration(flag: value) == nil {
                throw FlagError("--\(flag.name) \(value): not a time such as 250ms, 5s, 10m or 24h")
            }
        case .choice(let choices):
            if !choices.contains(value) {
                throw FlagError("--\(flag.name) \(value): must be one of \(choices.joined(separator: ", "))")
            }
        case .switch:
            if value != "true" && value != "false" { throw FlagError("--\(flag.name) takes no value") }
        }
    }

    private func suggestion(for name: String) -> String {
        let names = declared.map(\.name)
        let close =
            names.first { $0.hasPrefix(name) || name.hasPrefix($0) || $0.hasSuffix(name) }
            ?? Suggestion.nearest(to: name, of: names)
        return close.map { " (did you mean --\($0)?)" } ?? ""
    }
}
