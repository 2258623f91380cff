internal import Foundation
internal import ServiceKit
internal import SubstrateModel

/// Reads what `-l` says: conditions with commas between them, as kubectl takes them.
///
/// `key=value`, `key==value`, `key!=value`, `key in (a,b)`, `key notin (a,b)`, `key`, `!key`.
enum LabelSelector {
    /// - Throws: `FlagError` that says which condition is wrong, and why.
    static func read(_ text: String) throws(FlagError) -> Selector {
        var selector = Selector()
        for condition in try conditions(text) {
            do throws(FlagError) {
                let requirement = try requirement(condition)
                let labels = requirement.values.isEmpty ? [""] : requirement.values
                for value in labels {
                    if let violation = LabelRule.violation(of: [requirement.key: value]) { throw FlagError(violation) }
                }
                selector.matchExpressions.append(requirement)
            } catch {
                throw FlagError("-l \(text): \"\(condition)\": \(error)")
            }
        }
        return selector
    }

    /// Splits at the commas that are not within parentheses.
    private static func conditions(_ text: String) throws(FlagError) -> [String] {
        var conditions = [""]
        var isWithin = false
        for character in text {
            switch character {
            case "(" where isWithin, ")" where !isWithin: throw FlagError("-l \(text): the parentheses do not match")
            case "(", ")":
                isWithin.toggle()
                conditions[conditions.count - 1].append(character)
            case "," where !isWithin: conditions.append("")
            default: conditions[conditions.count - 1].append(character)
            }
        }
        if isWithin { throw FlagError("-l \(text): a parenthesis is not closed") }
        return conditions.map(trimmed)
    }

    private static func requirement(_ condition: String) throws(FlagError) -> Selector.Requirement {
        if condition.isEmpty { throw FlagError("there is no condition; such as key=value, key in (a,b), or !key") }
        if condition.hasSuffix(")") { return try set(condition) }
        if let range = condition.range(of: "!=") {
            return equality(condition[..<range.lowerBound], .notIn, condition[range.upperBound...])
        }
        if let range = condition.range(of: "==") ?? condition.range(of: "=") {
            return equality(condition[..<range.lowerBound], .isIn, condition[range.upperBound...])
        }
        if condition.hasPrefix("!") {
            return Selector.Requirement(key: trimmed(String(condition.dropFirst())), operator: .doesNotExist)
        }
        return Selector.Requirement(key: condition, operator: .exists)
    }

    private static func equality(
        _ key: Substring, _ relation: Selector.Requirement.Operator, _ value: Substring
    ) -> Selector.Requirement {
        Selector.Requirement(key: trimmed(String(key)), operator: relation, values: [trimmed(String(value))])
    }

    /// `key in (a,b)`, `key notin (a,b)`
    private static func set(_ condition: String) throws(FlagError) -> Selector.Requirement {
        let parts = condition.dropLast().split(separator: "(", maxSplits: 1, omittingEmptySubsequences: false)
        let words = parts[0].split(separator: " ")
        guard parts.count == 2, words.count == 2 else {
            throw FlagError("must be <key> in (<value>,...) or <key> notin (<value>,...)")
        }
        let relation: Selector.Requirement.Operator
        switch words[1] {
        case "in": relation = .isIn
        case "notin": relation = .notIn
        default: throw FlagError("there is no operator \(words[1]); only in and notin take a list")
        }
        let values = parts[1].split(separator: ",", omittingEmptySubsequences: false).map { trimmed(String($0)) }
        return Selector.Requirement(key: String(words[0]), operator: relation, values: values)
    }

    private static func trimmed(_ text: String) -> String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}
