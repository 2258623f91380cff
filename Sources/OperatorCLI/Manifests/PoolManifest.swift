internal import SubstrateModel

extension WorkerPool {
    init(_ document: inout FieldReader, _ warnings: inout [String]) throws(ManifestError) {
        var metadata = try document.mapping("metadata")
        var spec = try document.mapping("spec")
        let ref = PoolRef(
            namespace: try metadata?.text("namespace") ?? "default", name: try metadata?.text("name") ?? "")
        self.init(
            ref: ref, labels: try metadata?.labels("labels") ?? [:], replicas: try spec?.integer("replicas") ?? 0,
            sandboxClass: try SandboxClass(spec?.text("sandboxClass"), path: "spec.sandboxClass"))
        // Of use to those who start machines, which is not done here.
        for accepted in ["ateomImage", "sandboxConfigName", "template"] { _ = spec?.take(accepted) }
        Manifest.warn(of: [document, metadata, spec].compactMap { $0 }, &warnings)
    }
}
