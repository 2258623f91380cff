/// The flags of a program, or of one of its commands: declared once, with the help that describes them.
///
/// `--name value`, `--name=value`, and `--name` alone for a switch. Those with a letter are also `-n value`, `-nvalue` and
/// `-n`, and switches may be put together: `-Aw`. What is declared is what is parsed and what `--help` shows; anything else is
/// an error that says so.
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
        /// The heading that it stands under in the help.
        package fileprivate(set) var section = ""

        /// Whether a value follows it.
        package var takesValue: Bool { if case .switch = kind { false } else { true } }
    }

    /// In the order of their declaration.
    package private(set) var declared: [Flag] = []
    let program: String
    let summary: String
    let usage: String
    let examples: [String]
    private var section = "Flags"
    /// Whether there is a file with more of them, which `--config` names.
    private(set) var haveFile = false

    /// - Parameters:
    ///   - program: as it is called, with the command if the flags are one's.
    ///   - examples: command lines for the help.
    package init(program: String, summary: String, usage: String? = nil, examples: [String] = []) {
        self.program = program
        self.summary = summary
        self.usage = usage ?? "\(program) [flags]"
        self.examples = examples
    }

    /// Puts the flags that are declared from here on under a heading of their own in the help.
    package mutating func beginSection(_ title: String) { section = title }

    /// Has them come from a file, too: `ConfigurationFile`.
    package mutating func declareFile() {
        haveFile = true
        text(
            ConfigurationFile.flag, "FILE",
            help: "A file with flags, one in each line: NAME = VALUE. What the command line gives counts more.")
    }

    package mutating func text(
        _ name: String, _ placeholder: String, default value: String? = nil, isRepeatable: Bool = false,
        short: String? = nil, help: String
    ) {
        declare(
            Flag(
                name: name, kind: .text, placeholder: placeholder, defaultValue: value, help: help,
                isRepeatable: isRepeatable, short: short))
    }

    /// One of a few words.
    package mutating func choice(
        _ name: String, _ choices: [String], default value: String, short: String? = nil, help: String
    ) {
        declare(
            Flag(
                name: name, kind: .choice(choices), placeholder: choices.joined(separator: "|"), defaultValue: value,
                help: help, short: short))
    }

    package mutating func number(_ name: String, _ range: ClosedRange<Int>, default value: Int, help: String) {
        declare(Flag(name: name, kind: .number(range), placeholder: "N", defaultValue: "\(value)", help: help))
    }

    package mutating func duration(_ name: String, default value: String, help: String) {
        declare(Flag(name: name, kind: .duration, placeholder: "TIME", defaultValue: value, help: help))
    }

    package mutating func toggle(_ name: String, short: String? = nil, help: String) {
        declare(Flag(name: name, kind: .switch, placeholder: "", defaultValue: nil, help: help, short: short))
    }

    private mutating func declare(_ flag: Flag) {
        var flag = flag
        flag.section = section
        declared.append(flag)
    }
}
