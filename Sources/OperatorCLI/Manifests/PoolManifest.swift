internal import ServiceKit
internal import SubstrateModel

extension WorkerPool {
    init(_ document: FieldReader) throws(ManifestError) {
        let metadata = try ManifestMetadata(document)
        let spec = try document.mappingOrEmpty("spec")
        let sandboxClass = try spec.choice("sandboxClass") ?? SandboxClass.gvisor
        guard let replicas = try spec.integer("replicas") else { throw spec.error("replicas", "is required") }
        self.init(
            ref: PoolRef(namespace: metadata.namespace, name: metadata.name), labels: metadata.labels,
            replicas: replicas, sandboxClass: sandboxClass)
        ateomImage = try spec.text("ateomImage") ?? ""
        sandboxConfigName = try spec.text("sandboxConfigName") ?? ""
        if let settings = try spec.mapping("template") { podTemplate = try Self.podTemplate(settings) }
    }

    /// The settings of pods as JSON: they are kept, and read by nobody here.
    private static func podTemplate(_ reader: FieldReader) throws(ManifestError) -> String {
        let names = ["nodeAffinity", "nodeSelector", "priorityClassName", "resources", "tolerations"]
        let members = names.compactMap { name in reader.take(name).map { (name, $0.json) } }
        return members.isEmpty ? "" : JSON.object(members).text()
    }
}

extension YAMLNode {
    /// As JSON: words that are not quoted become what YAML takes them for.
    fileprivate var json: JSON {
        switch self {
        case .scalar(let text, isQuoted: true, _): .string(text)
        case .scalar(let text, isQuoted: false, _):
            if let value = Bool(text) {
                .boolean(value)
            } else if let number = Int64(text) {
                .integer(number)
            } else if text.first?.isLetter == false, let number = Double(text), number.isFinite {
                .number(number)
            } else {
                .string(text)
            }
        case .sequence(let elements, _): .array(elements.map(\.json))
        // What is empty is not set.
        case .mapping(let members, _): .object(members.filter { !$0.value.isNull }.map { ($0.key, $0.value.json) })
        }
    }
}
