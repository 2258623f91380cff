internal import SubstrateModel

/// A resource that a file declares.
struct Manifest {
    enum Resource {
        case pool(WorkerPool)
        case template(ActorTemplate)
    }

    var resource: Resource
    /// Which document of the file it is, from 1 on.
    var document: Int

    /// The resources of a file, all of them valid as far as can be told without the control plane, and warnings about what
    /// in it has no effect.
    /// - Throws: `ManifestError` with the document and the path of the field.
    static func read(_ text: String) throws(ManifestError) -> (manifests: [Manifest], warnings: [String]) {
        var manifests: [Manifest] = []
        var warnings: [String] = []
        for (index, node) in try YAMLParser.documents(text).enumerated() where !node.isNull {
            let number = index + 1
            do throws(ManifestError) {
                let reader = try FieldReader(node, path: "")
                if let resource = try Resource(reader, &warnings, document: number) {
                    manifests.append(Manifest(resource: resource, document: number))
                }
            } catch {
                throw error.within(document: number)
            }
        }
        return (manifests, warnings)
    }
}

extension Manifest.Resource {
    /// - Returns: nil for a kind that is not kept here, with a warning.
    fileprivate init?(
        _ document: FieldReader, _ warnings: inout [String], document number: Int
    ) throws(ManifestError) {
        let kind = try document.text("kind") ?? ""
        let version = try document.text("apiVersion") ?? ""
        let violation: String?
        switch kind {
        case "WorkerPool" where version.hasPrefix("ate.dev/"):
            let pool = try WorkerPool(document)
            self = .pool(pool)
            violation = ResourceRules.violation(of: pool)
        case "ActorTemplate" where version.hasPrefix("ate.dev/"):
            let template = try ActorTemplate(document)
            self = .template(template)
            violation = ResourceRules.violation(of: template)
        default:
            let what = kind.isEmpty ? "a document without a kind" : "\(kind) (\(version))"
            warnings.append("document \(number), line \(document.line): skipped: \(what) is not kept here")
            return nil
        }
        if let violation { throw ManifestError("\(kind): \(violation)") }
        warnings += document.remarks.map { "document \(number), line \($0.line): \($0.text)" }
    }
}

/// `metadata`, which all kinds have.
struct ManifestMetadata {
    /// What tools of Kubernetes write there, to which nobody need be told that it makes no difference.
    private static let written = [
        "annotations", "creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid",
    ]

    var namespace: String
    var name: String
    var labels: [String: String]

    init(_ document: FieldReader) throws(ManifestError) {
        let metadata = try document.mappingOrEmpty("metadata")
        namespace = try metadata.text("namespace") ?? "default"
        name = try metadata.text("name") ?? ""
        labels = try metadata.labels("labels")
        for field in Self.written { _ = metadata.take(field) }
        // The control plane's to write.
        _ = document.take("status")
    }
}
