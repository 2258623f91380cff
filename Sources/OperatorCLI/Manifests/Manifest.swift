internal import SubstrateModel

/// What one document of a file declares.
enum Manifest {
    case pool(WorkerPool)
    case template(ActorTemplate)

    /// The resources of a file, and warnings about what in it has no effect.
    static func read(_ text: String) throws(ManifestError) -> (manifests: [Manifest], warnings: [String]) {
        var manifests: [Manifest] = []
        var warnings: [String] = []
        for document in try YAMLParser.documents(text) where !document.isNull {
            var reader = try FieldReader(document, path: "")
            let kind = try reader.text("kind") ?? ""
            let version = try reader.text("apiVersion") ?? ""
            guard version.hasPrefix("ate.dev/"), ["WorkerPool", "ActorTemplate"].contains(kind) else {
                warnings.append(
                    "line \(document.line): skipped: \(kind.isEmpty ? "a document without a kind" : kind) (\(version)) is not kept here"
                )
                continue
            }
            manifests.append(
                kind == "WorkerPool"
                    ? .pool(try WorkerPool(&reader, &warnings)) : .template(try ActorTemplate(&reader, &warnings)))
        }
        return (manifests, warnings)
    }

    /// Names what was read over, each with why it makes no difference.
    static func warn(of readers: [FieldReader], _ warnings: inout [String]) {
        for reader in readers {
            for name in reader.unread where !ignored.contains(name) {
                warnings.append("line \(reader.line): \(name) has no effect here")
            }
        }
    }

    /// What tools of Kubernetes write into every manifest.
    private static let ignored: Set<String> = ["metadata.annotations", "metadata.creationTimestamp", "status"]
}

extension SandboxClass {
    /// The reference's default when nothing is said.
    init(_ text: String?, path: String) throws(ManifestError) {
        guard let known = SandboxClass(rawValue: text ?? SandboxClass.gvisor.rawValue) else {
            let names = SandboxClass.allCases.map(\.rawValue).joined(separator: ", ")
            throw ManifestError("\(path) must be one of \(names)")
        }
        self = known
    }
}
