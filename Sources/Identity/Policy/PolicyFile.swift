internal import Foundation

/// A policy as JSON: `{"rules": [{"identities": ["sub:alice"], "verb": "operate", "atespaces": ["team-a"]}]}`.
///
/// Every field is required, and no other is allowed: a rule that is not understood might be the one that matters.
extension Policy {
    /// - Throws: `Problem` that names the rule, counted from 1, and the field.
    init(json: [UInt8]) throws(Problem) {
        do {
            rules = try JSONDecoder().decode(Document.self, from: Data(json)).rules
        } catch let problem as Problem {
            throw problem
        } catch DecodingError.dataCorrupted {
            throw Problem("this is not JSON")
        } catch {
            throw Problem("this is not an object with an array `rules`")
        }
    }

    private struct Document: Decodable {
        var rules: [Rule] = []

        init(from decoder: any Decoder) throws {
            let fields = try StrictFields(decoder, allowed: ["rules"], of: "the policy")
            var list = try fields.list("rules")
            while !list.isAtEnd {
                rules.append(try Document.rule(try list.superDecoder(), named: "rule \(rules.count + 1)"))
            }
        }

        private static func rule(_ decoder: any Decoder, named name: String) throws -> Rule {
            let fields = try StrictFields(decoder, allowed: ["identities", "verb", "atespaces"], of: name)
            let verb = try fields.text("verb")
            guard let verb = Verb(rawValue: verb) else {
                let known = Verb.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem("\(name), field verb: \"\(verb)\" is not one of \(known)")
            }
            let identities = try fields.texts("identities").map { pattern in
                do throws(Problem) {
                    return try NamePattern(pattern)
                } catch {
                    throw Problem("\(name), field identities: \(error)")
                }
            }
            let places = try fields.texts("atespaces").map { atespace in
                if atespace == "*" { return Place.everywhere }
                guard !atespace.isEmpty, !atespace.contains("*") else {
                    throw Problem("\(name), field atespaces: \"\(atespace)\" is neither an atespace's name nor *")
                }
                return .atespace(atespace)
            }
            return Rule(identities: identities, verb: verb, places: places)
        }
    }
}

/// The fields of an object that may have certain ones only.
private struct StrictFields {
    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private let fields: KeyedDecodingContainer<Name>
    private let owner: String

    init(_ decoder: any Decoder, allowed: [String], of owner: String) throws {
        guard let fields = try? decoder.container(keyedBy: Name.self) else {
            throw Problem("\(owner) is not an object")
        }
        let unknown = fields.allKeys.map(\.stringValue).filter { !allowed.contains($0) }.sorted()
        if let field = unknown.first {
            throw Problem("\(owner), field \(field): unknown; there are \(allowed.joined(separator: ", "))")
        }
        self.fields = fields
        self.owner = owner
    }

    func text(_ field: String) throws -> String { try value(field, "a string") }

    func texts(_ field: String) throws -> [String] {
        let texts: [String] = try value(field, "an array of strings")
        guard !texts.isEmpty else {
            throw Problem("\(owner), field \(field): is empty, so the rule would mean nothing")
        }
        return texts
    }

    func list(_ field: String) throws -> any UnkeyedDecodingContainer {
        guard let list = try? fields.nestedUnkeyedContainer(forKey: Name(stringValue: field)) else {
            throw Problem("\(owner), field \(field): is missing or not an array")
        }
        return list
    }

    private func value<Value: Decodable>(_ field: String, _ kind: String) throws -> Value {
        guard let value = try? fields.decode(Value.self, forKey: Name(stringValue: field)) else {
            throw Problem("\(owner), field \(field): is missing or not \(kind)")
        }
        return value
    }
}
