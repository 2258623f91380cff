/// Kubernetes' rules for labels and selectors.
package enum LabelRule {
    /// Most labels in an actor's selector.
    package static let maximumMatchLabels = 10

    /// What is wrong with a selector of an actor, as clients know it; nil when nothing is.
    package static func violation(of selector: Selector) -> String? {
        let labels = selector.matchLabels
        if labels.count > maximumMatchLabels {
            return
                "worker_selector has \(labels.count) match_labels entries, exceeding the limit of \(maximumMatchLabels)"
        }
        return violation(of: labels).map { "invalid worker_selector: \($0)" }
    }

    /// What is wrong with a selector of a template, or nil.
    /// - Parameter path: where it stands in the manifest.
    package static func violation(of selector: Selector, at path: String) -> String? {
        if let violation = violation(of: selector.matchLabels) { return "\(path).matchLabels: \(violation)" }
        for (index, requirement) in selector.matchExpressions.enumerated() {
            if let violation = violation(of: requirement) {
                return "\(path).matchExpressions[\(index)]\(violation)"
            }
        }
        return nil
    }

    private static func violation(of requirement: Selector.Requirement) -> String? {
        if let violation = violation(ofKey: requirement.key) { return ".key: \(violation)" }
        let name = requirement.operator.rawValue
        if requirement.operator.takesValues {
            if requirement.values.isEmpty { return ".values must not be empty for \(name)" }
        } else if !requirement.values.isEmpty {
            return ".values must be empty for \(name)"
        }
        return requirement.values.lazy.compactMap(violation(ofValue:)).first.map { ".values: \($0)" }
    }

    /// What is wrong with the first label that is not allowed; nil when all are.
    package static func violation(of labels: [String: String]) -> String? {
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) {
            if let violation = violation(ofKey: key) ?? violation(ofValue: value) { return violation }
        }
        return nil
    }

    private static func violation(ofKey key: String) -> String? {
        if isQualifiedName(key) { return nil }
        return "the label key \"\(key.excerpt)\" must be a name of at most 63 letters, digits, '-', '_' and '.', "
            + "beginning and ending with a letter or digit, with an optional DNS subdomain and '/' before it"
    }

    private static func violation(ofValue value: String) -> String? {
        if value.isEmpty || isName(value) { return nil }
        return "the label value \"\(value.excerpt)\" must be empty, or at most 63 letters, digits, '-', '_' and '.', "
            + "beginning and ending with a letter or digit"
    }

    private static func isQualifiedName(_ key: String) -> Bool {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return isName(key)
        case 2: return NameRule.allowsSubdomain(String(parts[0])) && isName(String(parts[1]))
        default: return false
        }
    }

    private static func isName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, let last = bytes.last, bytes.count <= 63 else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && bytes.allSatisfy(isNameByte)
    }

    /// Whether the byte may be within names of labels and the like.
    static func isNameByte(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || "-_.".utf8.contains(byte) }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
