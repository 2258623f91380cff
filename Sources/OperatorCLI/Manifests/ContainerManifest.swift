internal import SubstrateModel

extension Container {
    init(_ reader: FieldReader) throws(ManifestError) {
        var variables: [Variable] = []
        for entry in try reader.mappings("env") { variables.append(try Variable(entry)) }
        self.init(
            name: try reader.text("name") ?? "", image: try reader.text("image") ?? "",
            command: try reader.texts("command"), environment: variables,
            readiness: try reader.mapping("readyz").map { probe throws(ManifestError) in try Readiness(probe) })
        for mount in try reader.mappings("volumeMounts") {
            volumeMounts.append(
                VolumeMount(name: try mount.text("name") ?? "", path: try mount.text("mountPath") ?? ""))
        }
        // Older manifests list them; the address of an actor is its worker's.
        reader.setAside("ports")
    }
}

extension Container.Readiness {
    fileprivate init(_ probe: FieldReader) throws(ManifestError) {
        let get = try probe.mappingOrEmpty("httpGet")
        self.init(path: try get.text("path") ?? Self.defaultPath, port: try get.integer("port") ?? 0)
    }
}

extension Container.Variable {
    fileprivate init(_ reader: FieldReader) throws(ManifestError) {
        let name = try reader.text("name") ?? ""
        let value = try reader.text("value")
        let from = try reader.mapping("valueFrom")
        switch (value, from) {
        case (let value?, nil): self.init(name: name, value: value)
        case (nil, let from?): self.init(name: name, source: .secret(try Container.SecretKey(from)))
        default: throw reader.error("must have exactly one of value and valueFrom")
        }
    }
}

extension Container.SecretKey {
    fileprivate init(_ reader: FieldReader) throws(ManifestError) {
        guard let secret = try reader.mapping("secretKeyRef"), reader.unread.isEmpty else {
            throw reader.error("uses an unsupported source; only secretKeyRef is supported")
        }
        self.init(
            name: try secret.text("name") ?? "", key: try secret.text("key") ?? "",
            isOptional: try secret.boolean("optional") ?? false)
    }
}
