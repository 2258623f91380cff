/// A value of a YAML document, with the line it begins on for messages.
indirect enum YAMLNode: Sendable {
    case scalar(String, isQuoted: Bool, line: Int)
    case sequence([YAMLNode], line: Int)
    /// In the order of the file, each with the line of its key.
    case mapping([Member], line: Int)

    typealias Member = (key: String, line: Int, value: YAMLNode)

    var line: Int {
        switch self {
        case .scalar(_, _, let line), .sequence(_, let line), .mapping(_, let line): line
        }
    }

    /// Whether it is nothing: an empty value, `~` or `null`.
    var isNull: Bool {
        if case .scalar(let text, isQuoted: false, _) = self {
            return ["", "~", "null", "Null", "NULL"].contains(text)
        }
        return false
    }
}

/// A file that is not what it should be, with the place.
struct ManifestError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// The same in front of which stands in which document of the file, from 1 on.
    func within(document: Int) -> ManifestError {
        ManifestError("document \(document)\(description.hasPrefix("line ") ? "," : ":") \(description)")
    }
}
