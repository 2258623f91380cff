internal import CYAML

/// Reads YAML by libyaml: all documents of a file, without anchors, with bounds on size and depth.
struct YAMLParser: ~Copyable {
    /// Largest file, in bytes.
    static let maximumSize = 1 << 20
    private static let maximumDepth = 64

    private let parser: UnsafeMutablePointer<yaml_parser_t>

    /// The documents of the text.
    static func documents(_ text: String) throws(ManifestError) -> [YAMLNode] {
        guard text.utf8.count <= maximumSize else { throw ManifestError("larger than \(maximumSize) bytes") }
        let bytes = Array(text.utf8)
        // libyaml keeps the address of the input.
        let input = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
        input.initialize(from: bytes, count: bytes.count)
        defer { input.deallocate() }
        let parser = YAMLParser()
        yaml_parser_set_input_string(parser.parser, input, bytes.count)
        return try parser.readDocuments()
    }

    private init() {
        parser = .allocate(capacity: 1)
        yaml_parser_initialize(parser)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    private func readDocuments() throws(ManifestError) -> [YAMLNode] {
        var documents: [YAMLNode] = []
        do throws(ManifestError) {
            while true {
                let event = try next()
                switch event.kind {
                case YAML_STREAM_END_EVENT: return documents
                case YAML_DOCUMENT_START_EVENT: documents.append(try node(startingWith: try next(), depth: 0))
                default: break
                }
            }
        } catch {
            throw error.within(document: documents.count + 1)
        }
    }

    private struct Event {
        var kind: yaml_event_type_t
        var line: Int
        var text = ""
        var isQuoted = false
    }

    private func next() throws(ManifestError) -> Event {
        var raw = yaml_event_t()
        guard yaml_parser_parse(parser, &raw) != 0 else {
            let problem = parser.pointee.problem.map { String(cString: $0) } ?? "not YAML"
            throw ManifestError("line \(parser.pointee.problem_mark.line + 1): \(problem)")
        }
        defer { yaml_event_delete(&raw) }
        var event = Event(kind: raw.type, line: Int(raw.start_mark.line) + 1)
        if raw.type == YAML_SCALAR_EVENT {
            let bytes = UnsafeBufferPointer(start: raw.data.scalar.value, count: raw.data.scalar.length)
            event.text = String(decoding: bytes, as: UTF8.self)
            event.isQuoted = raw.data.scalar.style != YAML_PLAIN_SCALAR_STYLE
        }
        return event
    }

    private func node(startingWith event: Event, depth: Int) throws(ManifestError) -> YAMLNode {
        guard depth < Self.maximumDepth else { throw ManifestError("line \(event.line): nested too deeply") }
        switch event.kind {
        case YAML_SCALAR_EVENT: return .scalar(event.text, isQuoted: event.isQuoted, line: event.line)
        case YAML_SEQUENCE_START_EVENT:
            var elements: [YAMLNode] = []
            while true {
                let element = try next()
                if element.kind == YAML_SEQUENCE_END_EVENT { return .sequence(elements, line: event.line) }
                elements.append(try node(startingWith: element, depth: depth + 1))
            }
        case YAML_MAPPING_START_EVENT: return try mapping(event, depth: depth)
        case YAML_ALIAS_EVENT: throw ManifestError("line \(event.line): anchors and aliases are not supported")
        default: return .scalar("", isQuoted: false, line: event.line)
        }
    }

    private func mapping(_ start: Event, depth: Int) throws(ManifestError) -> YAMLNode {
        var members: [YAMLNode.Member] = []
        while true {
            let key = try next()
            if key.kind == YAML_MAPPING_END_EVENT { return .mapping(members, line: start.line) }
            guard key.kind == YAML_SCALAR_EVENT else { throw ManifestError("line \(key.line): a key must be a word") }
            if members.contains(where: { $0.key == key.text }) {
                throw ManifestError("line \(key.line): \(key.text) is given twice")
            }
            members.append((key.text, key.line, try node(startingWith: try next(), depth: depth + 1)))
        }
    }
}
