/// What the labels of a pool must satisfy, as Kubernetes' label selectors: all of it. An empty one matches everything.
package struct Selector: Sendable, Equatable {
    /// Labels that must be there.
    package var matchLabels: [String: String]
    /// Only templates have these; the API of actors has no field for them.
    package var matchExpressions: [Requirement]

    package init(matchLabels: [String: String] = [:], matchExpressions: [Requirement] = []) {
        self.matchLabels = matchLabels
        self.matchExpressions = matchExpressions
    }

    package func matches(_ labels: [String: String]) -> Bool {
        matchLabels.allSatisfy { labels[$0.key] == $0.value } && matchExpressions.allSatisfy { $0.matches(labels) }
    }
}

extension Selector {
    /// One condition on the label of a key.
    package struct Requirement: Sendable, Equatable {
        package enum Operator: String, Sendable, CaseIterable {
            /// The label is there, with one of the values.
            case isIn = "In"
            /// The label is not there, or has none of the values.
            case notIn = "NotIn"
            /// The label is there, whatever its value.
            case exists = "Exists"
            /// The label is not there.
            case doesNotExist = "DoesNotExist"

            /// Whether it is about values; one that is not must have none.
            package var takesValues: Bool { self == .isIn || self == .notIn }
        }

        package var key: String
        package var `operator`: Operator
        package var values: [String]
        package var unknownFields = UnknownFields()

        package init(key: String, operator: Operator, values: [String] = []) {
            self.key = key
            self.operator = `operator`
            self.values = values
        }

        package func matches(_ labels: [String: String]) -> Bool {
            let value = labels[key]
            return switch self.operator {
            case .isIn: value.map(values.contains) ?? false
            case .notIn: !(value.map(values.contains) ?? false)
            case .exists: value != nil
            case .doesNotExist: value == nil
            }
        }
    }
}
