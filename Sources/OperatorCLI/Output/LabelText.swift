internal import SubstrateModel

extension [String: String] {
    /// Labels as `-l` takes them: `a=1,b=2`.
    var listed: String { sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",") }
}

extension Selector {
    /// The selector as `-l` takes it.
    var listed: String {
        ([matchLabels.listed].filter { !$0.isEmpty } + matchExpressions.map(\.listed)).joined(separator: ",")
    }
}

extension Selector.Requirement {
    fileprivate var listed: String {
        let list = values.joined(separator: ",")
        return switch self.operator {
        case .isIn: "\(key) in (\(list))"
        case .notIn: "\(key) notin (\(list))"
        case .exists: key
        case .doesNotExist: "!\(key)"
        }
    }
}
