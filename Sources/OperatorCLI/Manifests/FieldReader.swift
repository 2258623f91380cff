/// Reads the members of a mapping one by one, and knows which of it and of the mappings within are left.
///
/// The path is that of the manifest, for messages: `spec.containers[0].name`.
final class FieldReader {
    /// Something in a manifest that makes no difference.
    struct Remark {
        var line: Int
        var text: String
    }

    let path: String
    let line: Int
    private var members: [YAMLNode.Member]
    /// Where the members that have been read stand.
    private var lines: [String: Int] = [:]
    private var children: [FieldReader] = []
    private var noted: [Remark] = []

    /// - Throws: `ManifestError` when the node is not a mapping. Nothing at all counts as an empty one.
    init(_ node: YAMLNode, path: String) throws(ManifestError) {
        self.path = path
        line = node.line
        if case .mapping(let members, _) = node {
            self.members = members
        } else if node.isNull {
            members = []
        } else {
            throw ManifestError("line \(node.line): \(path.isEmpty ? "the document" : path) must be a mapping")
        }
    }

    /// An empty one, in place of a mapping that is not there.
    init(path: String, line: Int) {
        self.path = path
        self.line = line
        members = []
    }

    /// What has been noted, and the fields that nobody has asked for, here and within, in the order of the file.
    var remarks: [Remark] {
        let unread = members.map { Remark(line: $0.line, text: "the unknown field \(name($0.key)) is ignored") }
        return (noted + unread + children.flatMap(\.remarks)).sorted { $0.line < $1.line }
    }

    /// The names of the members that nobody has asked for.
    var unread: [String] { members.map(\.key) }

    private func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// An error about the mapping itself.
    func error(_ problem: String) -> ManifestError { ManifestError("line \(line): \(path) \(problem)") }

    /// An error about a member.
    func error(_ key: String, at line: Int? = nil, _ problem: String) -> ManifestError {
        ManifestError("line \(line ?? self.line): \(name(key)) \(problem)")
    }

    /// Says something about a member that was read.
    func note(_ key: String, _ remark: String) {
        noted.append(Remark(line: lines[key] ?? line, text: "\(name(key)) \(remark)"))
    }

    /// The member, which counts as read; nil when it is not there or null.
    func take(_ key: String) -> YAMLNode? {
        guard let index = members.firstIndex(where: { $0.key == key }) else { return nil }
        let member = members.remove(at: index)
        lines[key] = member.line
        return member.value.isNull ? nil : member.value
    }

    /// Reads over what has no effect in this system, and says so.
    func setAside(_ key: String) {
        if take(key) != nil { note(key, "has no effect here") }
    }

    /// A mapping within; nil when it is not there.
    func mapping(_ key: String) throws(ManifestError) -> FieldReader? {
        guard let node = take(key) else { return nil }
        let child = try FieldReader(node, path: name(key))
        children.append(child)
        return child
    }

    /// A mapping within, an empty one when it is not there.
    func mappingOrEmpty(_ key: String) throws(ManifestError) -> FieldReader {
        try mapping(key) ?? FieldReader(path: name(key), line: line)
    }

    /// The mappings of a list.
    func mappings(_ key: String) throws(ManifestError) -> [FieldReader] {
        var readers: [FieldReader] = []
        for (index, node) in try list(key).enumerated() {
            readers.append(try FieldReader(node, path: "\(name(key))[\(index)]"))
        }
        children += readers
        return readers
    }

    func list(_ key: String) throws(ManifestError) -> [YAMLNode] {
        guard let node = take(key) else { return [] }
        guard case .sequence(let elements, _) = node else { throw error(key, at: node.line, "must be a list") }
        return elements
    }
}
