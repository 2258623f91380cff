internal import SubstrateModel

extension ActorTemplate {
    init(_ document: inout FieldReader, _ warnings: inout [String]) throws(ManifestError) {
        var metadata = try document.mapping("metadata")
        var spec = try document.mapping("spec")
        var snapshots = try spec?.mapping("snapshotsConfig")
        var selector = try spec?.mapping("workerSelector")
        var readers: [FieldReader] = []
        var containers: [Container] = []
        for (index, node) in (try spec?.list("containers") ?? []).enumerated() {
            var reader = try FieldReader(node, path: "spec.containers[\(index)]")
            containers.append(try Container(&reader, &readers))
        }
        let onCommit = try snapshots?.text("onCommit") ?? SnapshotContent.full.rawValue
        guard let content = SnapshotContent(rawValue: onCommit) else {
            throw ManifestError("spec.snapshotsConfig.onCommit must be Full or Data")
        }
        // A pause is not offered yet; what it would save has to be valid all the same.
        if let onPause = try snapshots?.text("onPause"), SnapshotContent(rawValue: onPause) == nil {
            throw ManifestError("spec.snapshotsConfig.onPause must be Full or Data")
        }
        let ref = TemplateRef(
            namespace: try metadata?.text("namespace") ?? "default", name: try metadata?.text("name") ?? "")
        self.init(
            ref: ref, containers: containers, snapshotLocation: try snapshots?.text("location") ?? "",
            onCommit: content,
            sandboxClass: try SandboxClass(spec?.text("sandboxClass"), path: "spec.sandboxClass"),
            workerSelector: Selector(matchLabels: try selector?.labels("matchLabels") ?? [:]))
        if selector?.take("matchExpressions") != nil {
            throw ManifestError("spec.workerSelector.matchExpressions is not supported yet; use matchLabels")
        }
        _ = spec?.take("pauseImage")
        Manifest.warn(of: [document, metadata, spec, snapshots, selector].compactMap { $0 } + readers, &warnings)
    }
}

extension Container {
    /// - Parameter readers: gets what was read from, for warnings about what was not.
    fileprivate init(_ reader: inout FieldReader, _ readers: inout [FieldReader]) throws(ManifestError) {
        var variables: [Variable] = []
        for (index, node) in try reader.list("env").enumerated() {
            var entry = try FieldReader(node, path: "\(reader.path).env[\(index)]")
            if entry.take("valueFrom") != nil {
                throw ManifestError("line \(entry.line): \(entry.path).valueFrom is not supported yet; use value")
            }
            variables.append(Variable(name: try entry.text("name") ?? "", value: try entry.text("value") ?? ""))
            readers.append(entry)
        }
        var readiness: Readiness?
        if var probe = try reader.mapping("readyz") {
            var get = try probe.mapping("httpGet")
            readiness = Readiness(path: try get?.text("path") ?? "/readyz", port: try get?.integer("port") ?? 0)
            readers += [probe] + (get.map { [$0] } ?? [])
        }
        if reader.take("volumeMounts") != nil {
            throw ManifestError(
                "line \(reader.line): \(reader.path).volumeMounts is not supported yet; "
                    + "an actor of class process finds its durable directory in ATE_DURABLE_DIR")
        }
        self.init(
            name: try reader.text("name") ?? "", image: try reader.text("image") ?? "",
            command: try reader.texts("command"), environment: variables, readiness: readiness)
        readers.append(reader)
    }
}
