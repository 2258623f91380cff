internal import SubstrateModel

extension ActorTemplate {
    init(_ document: FieldReader) throws(ManifestError) {
        let metadata = try ManifestMetadata(document)
        let spec = try document.mappingOrEmpty("spec")
        let sandboxClass = try spec.choice("sandboxClass") ?? SandboxClass.gvisor
        let snapshots = try spec.mappingOrEmpty("snapshotsConfig")
        let unsaid = SnapshotContent.default(of: sandboxClass)
        var containers: [Container] = []
        for reader in try spec.mappings("containers") { containers.append(try Container(reader)) }
        self.init(
            ref: TemplateRef(namespace: metadata.namespace, name: metadata.name), containers: containers,
            snapshotLocation: try snapshots.text("location") ?? "",
            onPause: try snapshots.choice("onPause") ?? unsaid, onCommit: try snapshots.choice("onCommit") ?? unsaid,
            sandboxClass: sandboxClass, workerSelector: try Selector(try spec.mappingOrEmpty("workerSelector")))
        labels = metadata.labels
        pauseImage = try spec.text("pauseImage") ?? ""
        for reader in try spec.mappings("volumes") { volumes.append(try Volume(reader)) }
        if let reader = try spec.mapping("workerPoolRef") {
            workerPool = PoolRef(
                namespace: try reader.text("namespace") ?? metadata.namespace, name: try reader.text("name") ?? "")
        }
        // Older manifests say which runsc is to run; here each node has its own.
        spec.setAside("runsc")
        try readLifecycle(spec)
        sandboxRules = try SandboxRules(spec)
    }

    private mutating func readLifecycle(_ spec: FieldReader) throws(ManifestError) {
        golden = try spec.boolean("golden") ?? false
        onWorkerLoss = try spec.choice("onWorkerLoss") ?? .revert
        idleTimeout = try spec.duration("idleTimeout")
    }
}

extension SandboxRules {
    fileprivate init(_ spec: FieldReader) throws(ManifestError) {
        self.init()
        let limits = try spec.mappingOrEmpty("resources").mappingOrEmpty("limits")
        memory = try limits.quantity("memory", "bytes, like 512Mi") { Int64($0) }
        milliCPUs = try limits.quantity("cpu", "processors, like 500m or 1.5") { Int(($0 * 1000).rounded(.up)) }
        for rule in try spec.mappings("egress") {
            egress.append(
                EgressRule(
                    subnet: try rule.text("cidr") ?? "", transport: try rule.choice("protocol") ?? .tcp,
                    ports: try rule.integers("ports")))
        }
    }
}

extension Volume {
    fileprivate init(_ reader: FieldReader) throws(ManifestError) {
        let name = try reader.text("name") ?? ""
        let durable = try reader.mapping("durableDir")
        guard durable != nil, reader.unread.isEmpty else {
            throw reader.error("must have exactly one source, durableDir: {}")
        }
        self.init(name: name, source: .durableDirectory)
    }
}

extension Selector {
    fileprivate init(_ reader: FieldReader) throws(ManifestError) {
        self.init(matchLabels: try reader.labels("matchLabels"))
        for expression in try reader.mappings("matchExpressions") {
            guard let relation: Requirement.Operator = try expression.choice("operator") else {
                throw expression.error("operator", "is required")
            }
            matchExpressions.append(
                Requirement(
                    key: try expression.text("key") ?? "", operator: relation, values: try expression.texts("values")))
        }
    }
}
