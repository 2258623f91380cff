extension Flags {
    /// What the help is: summary, usage, examples, and a paragraph per flag.
    package var helpText: String {
        var text = "\(summary)\n\nUsage: \(usage)\n"
        if !examples.isEmpty { text += "\nExamples:\n" + examples.map { "  \($0)\n" }.joined() }
        var section = ""
        for flag in declared {
            if flag.section != section {
                section = flag.section
                text += "\n\(section):\n"
            }
            text += paragraph(on: flag)
        }
        return text + "\n  -h, --help\n      Shows this.\n\n  --version\n      Shows which release this is.\n"
    }

    private func paragraph(on flag: Flag) -> String {
        var text = flag.short.map { "  -\($0), --\(flag.name)" } ?? "  --\(flag.name)"
        if !flag.placeholder.isEmpty { text += " \(flag.placeholder)" }
        if let value = flag.defaultValue { text += "  (default \(value))" }
        if flag.isRepeatable { text += "  (may be repeated)" }
        return text + "\n" + wrapped(flag.help, indentation: 6) + "\n"
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
}
