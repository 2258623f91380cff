/// Reads the members of a mapping one by one, and knows which are left.
///
/// The path is that of the manifest, for messages: `spec.containers[0].name`.
struct FieldReader {
    let path: String
    let line: Int
    private var members: [(key: String, value: YAMLNode)]

    /// - Throws: `ManifestError` when the node is not a mapping. Nothing at all counts as an empty one.
    init(_ node: YAMLNode, path: String) throws(ManifestError) {
        self.path = path
        line = node.line
        if case .mapping(let members, _) = node {
            self.members = members
        } else if node.isNull {
            members = []
        } else {
            throw ManifestError("line \(node.line): \(path) must be a mapping")
        }
    }

    /// The names that nobody has asked for.
    var unread: [String] { members.map { name($0.key) } }

    private func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// The member, which counts as read; nil when it is not there or null.
    mutating func take(_ key: String) -> YAMLNode? {
        guard let index = members.firstIndex(where: { $0.key == key }) else { return nil }
        let node = members.remove(at: index).value
        return node.isNull ? nil : node
    }

    /// A text; a number or the like is taken as it is written.
    mutating func text(_ key: String) throws(ManifestError) -> String? {
        guard let node = take(key) else { return nil }
        guard case .scalar(let text, _, _) = node else {
            throw ManifestError("line \(node.line): \(name(key)) must be a text")
        }
        return text
    }

    mutating func integer(_ key: String) throws(ManifestError) -> Int? {
        guard let node = take(key) else { return nil }
        guard case .scalar(let text, isQuoted: false, _) = node, let number = Int(text) else {
            throw ManifestError("line \(node.line): \(name(key)) must be a whole number")
        }
        return number
    }

    mutating func texts(_ key: String) throws(ManifestError) -> [String] {
        var texts: [String] = []
        for node in try list(key) {
            guard case .scalar(let text, _, _) = node else {
                throw ManifestError("line \(node.line): \(name(key)) must be a list of texts")
            }
            texts.append(text)
        }
        return texts
    }

    mutating func list(_ key: String) throws(ManifestError) -> [YAMLNode] {
        guard let node = take(key) else { return [] }
        guard case .sequence(let elements, _) = node else {
            throw ManifestError("line \(node.line): \(name(key)) must be a list")
        }
        return elements
    }

    /// A mapping of texts.
    mutating func labels(_ key: String) throws(ManifestError) -> [String: String] {
        guard let node = take(key) else { return [:] }
        guard case .mapping(let members, _) = node else {
            throw ManifestError("line \(node.line): \(name(key)) must be a mapping of texts")
        }
        var labels: [String: String] = [:]
        for (label, value) in members {
            guard case .scalar(let text, _, _) = value else {
                throw ManifestError("line \(value.line): \(name(key)).\(label) must be a text")
            }
            labels[label] = text
        }
        return labels
    }

    /// A mapping within; nil when it is not there.
    mutating func mapping(_ key: String) throws(ManifestError) -> FieldReader? {
        guard let node = take(key) else { return nil }
        return try FieldReader(node, path: name(key))
    }
}
