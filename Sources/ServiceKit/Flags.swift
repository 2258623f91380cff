/// The flags of a program: declared once, with the help that describes them.
///
/// `--name value`, `--name=value`, and `--name` alone for a switch; `-n value` and `-n` for those with a letter. What is declared is what is parsed and what
/// `--help` shows; anything else is an error that says so.
package struct Flags {
    package struct Flag {
        package enum Kind {
            case text
            case number(ClosedRange<Int>)
            /// Seconds with a unit: `250ms`, `5s`, `10m`, `24h`.
            case duration
            case choice([String])
            case `switch`
        }

        package var name: String
        package var kind: Kind
        package var placeholder: String
        package var defaultValue: String?
        package var help: String
        package var isRepeatable = false
        /// One letter, for `-x`.
        package var short: String?
    }

    private var flags: [Flag] = []
    private let program: String
    private let summary: String
    private let usage: String

    package init(program: String, summary: String, usage: String? = nil) {
        self.program = program
        self.summary = summary
        self.usage = usage ?? "\(program) [flags]"
    }

    package mutating func text(
        _ name: String, _ placeholder: String, default value: String? = nil, isRepeatable: Bool = false,
        short: String? = nil, help: String
    ) {
        flags.append(
            Flag(
                name: name, kind: .text, placeholder: placeholder, defaultValue: value, help: help,
                isRepeatable: isRepeatable, short: short))
    }

    /// One of a few words.
    package mutating func choice(
        _ name: String, _ choices: [String], default value: String, short: String? = nil, help: String
    ) {
        flags.append(
            Flag(
                name: name, kind: .choice(choices), placeholder: choices.joined(separator: "|"), defaultValue: value,
                help: help, short: short))
    }

    package mutating func number(_ name: String, _ range: ClosedRange<Int>, default value: Int, help: String) {
        flags.append(
            Flag(name: name, kind: .number(range), placeholder: "N", defaultValue: "\(value)", help: help))
    }

    package mutating func duration(_ name: String, default value: String, help: String) {
        flags.append(Flag(name: name, kind: .duration, placeholder: "TIME", defaultValue: value, help: help))
    }

    package mutating func toggle(_ name: String, short: String? = nil, help: String) {
        flags.append(Flag(name: name, kind: .switch, placeholder: "", defaultValue: nil, help: help, short: short))
    }

    /// What the help is: usage, summary, and a paragraph per flag.
    package var helpText: String {
        var text = "\(summary)\n\nUsage: \(usage)\n\nFlags:\n"
        for flag in flags {
            text += flag.short.map { "  -\($0), --\(flag.name)" } ?? "  --\(flag.name)"
            if !flag.placeholder.isEmpty { text += " \(flag.placeholder)" }
            if let value = flag.defaultValue { text += "  (default \(value))" }
            if flag.isRepeatable { text += "  (may be repeated)" }
            text += "\n" + wrapped(flag.help, indentation: 6) + "\n"
        }
        text += "  --help\n      Shows this.\n"
        return text
    }

    private func wrapped(_ help: String, indentation: Int) -> String {
        let margin = String(repeating: " ", count: indentation)
        var lines: [String] = []
        var line = margin
        for word in help.split(separator: " ") {
            if line.count + word.count + 1 > 100, line != margin {
                lines.append(line)
                line = margin
            }
            line += line == margin ? word : " \(word)"
        }
        return (lines + [line]).joined(separator: "\n")
    }

    package enum ParseResult {
        case values(Values)
        /// `--help` was asked for.
        case help(String)
    }

    /// Parses the arguments behind the program's name.
    /// - Throws: `FlagError` for what is unknown, incomplete, out of range, or given twice.
    package func parse(_ arguments: [String]) throws(FlagError) -> ParseResult {
        var given: [String: [String]] = [:]
        var operands: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--help" || argument == "-h" { return .help(helpText) }
            guard argument.hasPrefix("-"), argument != "-", argument != "--" else {
                operands.append(argument)
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let flag = try flag(String(parts[0]))
            let name = flag.name
            let value: String
            if parts.count == 2 {
                value = String(parts[1])
            } else if case .switch = flag.kind {
                value = "true"
            } else if let next = rest.popFirst() {
                value = next
            } else {
                throw FlagError("--\(name) needs a value: --\(name) \(flag.placeholder)")
            }
            try check(value, for: flag)
            if given[name] != nil, !flag.isRepeatable { throw FlagError("--\(name) is given twice") }
            given[name, default: []].append(value)
        }
        let defaults = Dictionary(
            uniqueKeysWithValues: flags.compactMap { flag in flag.defaultValue.map { (flag.name, [$0]) } })
        return .values(Values(program: program, values: given, defaults: defaults, operands: operands))
    }

    private func flag(_ argument: String) throws(FlagError) -> Flag {
        if argument.hasPrefix("--") {
            let name = String(argument.dropFirst(2))
            if let flag = flags.first(where: { $0.name == name }) { return flag }
            throw FlagError("unknown flag --\(name)\(suggestion(for: name)); \(program) --help lists them")
        }
        let letter = String(argument.dropFirst())
        if let flag = flags.first(where: { $0.short == letter }) { return flag }
        throw FlagError("unknown flag \(argument); \(program) --help lists them")
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
        let close = flags.first { $0.name.hasPrefix(name) || name.hasPrefix($0.name) || $0.name.hasSuffix(name) }
        return close.map { " (did you mean --\($0.name)?)" } ?? ""
    }

    /// What was given, and the defaults for the rest.
    package struct Values: Sendable {
        let program: String
        let values: [String: [String]]
        let defaults: [String: [String]]
        /// What is not a flag, in order.
        package let operands: [String]

        /// The flag's value or its default.
        package func optional(_ name: String) -> String? { (values[name] ?? defaults[name])?.last }

        /// The flag's value.
        /// - Throws: `FlagError` when it was not given and has no default.
        package func text(_ name: String) throws(FlagError) -> String {
            guard let value = optional(name) else { throw FlagError("--\(name) is required; see \(program) --help") }
            return value
        }

        /// All values of a repeatable flag.
        package func all(_ name: String) -> [String] { values[name] ?? defaults[name] ?? [] }

        package func number(_ name: String) throws(FlagError) -> Int {
            guard let number = Int(try text(name)) else { throw FlagError("--\(name): not a number") }
            return number
        }

        package func duration(_ name: String) throws(FlagError) -> Duration {
            guard let duration = Duration(flag: try text(name)) else { throw FlagError("--\(name): not a time") }
            return duration
        }

        package func isSet(_ name: String) -> Bool { optional(name) == "true" }

        /// Refuses operands, for programs that take none.
        package func refuseOperands() throws(FlagError) {
            if let first = operands.first {
                throw FlagError("unexpected argument \(first); \(program) --help shows the usage")
            }
        }
    }
}

/// A command line that cannot be understood.
package struct FlagError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

extension Duration {
    /// From a number with one of the units ms, s, m, h; not negative.
    package init?(flag text: String) {
        let units: [(String, Duration)] = [
            ("ms", .milliseconds(1)), ("s", .seconds(1)), ("m", .seconds(60)), ("h", .seconds(3600)),
        ]
        guard let (suffix, unit) = units.first(where: { text.hasSuffix($0.0) }),
            let number = Int(text.dropLast(suffix.count)), (0...1_000_000).contains(number)
        else { return nil }
        self = unit * number
    }
}
