/// Who may do what where. What no rule allows is denied.
package struct Policy: Sendable, Equatable {
    package struct Rule: Sendable, Equatable {
        package var identities: [NamePattern]
        package var verb: Verb
        package var places: [Place]

        package init(identities: [NamePattern], verb: Verb, places: [Place]) {
            self.identities = identities
            self.verb = verb
            self.places = places
        }
    }

    /// Where a rule holds.
    package enum Place: Sendable, Equatable {
        case atespace(String)
        /// In all atespaces, and for what belongs to none.
        case everywhere
    }

    package var rules: [Rule]

    package init(rules: [Rule]) { self.rules = rules }

    /// Whether some rule lets one of the identity's names do it.
    /// - Parameter atespace: nil for what concerns all atespaces or none, which only a rule for `*` allows.
    package func allows(_ identity: Identity, _ verb: Verb, atespace: String?) -> Bool {
        rules.contains { rule in
            rule.verb >= verb
                && rule.places.contains { place in
                    switch place {
                    case .everywhere: true
                    case .atespace(let name): name == atespace
                    }
                }
                && rule.identities.contains { pattern in identity.names.contains(where: pattern.matches) }
        }
    }
}

/// The name of an identity, or with `*` at its end all names that begin so.
package struct NamePattern: Sendable, Equatable {
    private let text: String
    private let isPrefix: Bool

    static let kinds = ["URI:", "DNS:", "sub:"]

    /// - Throws: `Problem` for what could match no name, or not what it looks like.
    init(_ pattern: String) throws(Problem) {
        guard NamePattern.kinds.contains(where: pattern.hasPrefix) else {
            throw Problem("\"\(pattern)\" does not begin with one of \(NamePattern.kinds.joined(separator: ", "))")
        }
        isPrefix = pattern.hasSuffix("*")
        text = isPrefix ? String(pattern.dropLast()) : pattern
        guard !text.contains("*") else { throw Problem("\"\(pattern)\" has a * that is not at its end") }
        guard isPrefix || !NamePattern.kinds.contains(text) else { throw Problem("\"\(pattern)\" names nobody") }
    }

    /// Byte for byte: what merely looks the same is another name.
    package func matches(_ name: String) -> Bool {
        isPrefix ? name.utf8.starts(with: text.utf8) : name.utf8.elementsEqual(text.utf8)
    }
}
