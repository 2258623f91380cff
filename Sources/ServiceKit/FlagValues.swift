extension Flags {
    /// What was given, and the defaults for the rest.
    package struct Values: Sendable {
        let program: String
        let values: [String: [String]]
        var defaults: [String: [String]]
        /// What is not a flag, in order.
        package let operands: [String]

        /// The same with other defaults for some flags.
        package func withDefaults(_ others: [String: String]) -> Values {
            var values = self
            for (name, value) in others { values.defaults[name] = [value] }
            return values
        }

        /// Whether the flag was given, rather than having its default.
        package func isGiven(_ name: String) -> Bool { values[name] != nil }

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
