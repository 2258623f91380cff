/// What an operator may declare. Each function returns what is wrong, in terms of the manifest, or nil.
package enum ResourceRules {
    package static func violation(of pool: WorkerPool) -> String? {
        identity(namespace: pool.ref.namespace, name: pool.ref.name)
            ?? LabelRule.violation(of: pool.labels).map { "metadata.labels: \($0)" }
            ?? (pool.replicas < 0 ? "spec.replicas must not be negative" : nil)
    }

    package static func violation(of template: ActorTemplate) -> String? {
        identity(namespace: template.ref.namespace, name: template.ref.name)
            ?? violation(of: template.containers, template.sandboxClass)
            ?? snapshots(template)
            ?? LabelRule.violation(of: template.workerSelector.matchLabels).map { "spec.workerSelector: \($0)" }
    }

    /// Longest argument list of a container.
    static let maximumCommand = 64
    static let maximumContainers = 10
    static let maximumVariables = 32
    /// Longest snapshot location, in bytes; it is part of the row of each actor.
    static let maximumLocation = 1024

    private static func identity(namespace: String, name: String) -> String? {
        if namespace.isEmpty { return "metadata.namespace is required" }
        if let violation = NameRule.violation(of: namespace) { return "metadata.namespace \(violation)" }
        if name.isEmpty { return "metadata.name is required" }
        if !NameRule.allowsSubdomain(name) {
            return "metadata.name must be a DNS subdomain: at most 253 lower case letters, digits, '-' and '.'"
        }
        return nil
    }

    package static func violation(of containers: [Container], _ sandboxClass: SandboxClass) -> String? {
        if containers.isEmpty { return "spec.containers must name at least one container" }
        if containers.count > maximumContainers { return "spec.containers has more than \(maximumContainers) entries" }
        var names: Set<String> = []
        for container in containers {
            let place = "spec.containers[\(container.name)]"
            if let violation = NameRule.violation(of: container.name) { return "\(place): the name \(violation)" }
            if container.name == "pause" { return "\(place): the name pause is reserved" }
            if !names.insert(container.name).inserted { return "\(place): the name is used twice" }
            if let violation = violation(of: container, sandboxClass) { return "\(place)\(violation)" }
        }
        return nil
    }

    private static func violation(of container: Container, _ sandboxClass: SandboxClass) -> String? {
        let image = container.image
        if !image.isEmpty, !image.contains("@"), !image.hasPrefix("rootfs:") {
            return ".image must be pinned with '@', or begin with 'rootfs:', or be empty"
        }
        if sandboxClass == .process, !image.isEmpty {
            return ".image: an actor of class process has the node's own files; leave the image out"
        }
        if sandboxClass == .process, container.command.isEmpty { return ".command must name a program" }
        if container.command.count > maximumCommand { return ".command has more than \(maximumCommand) entries" }
        if container.command.first?.isEmpty == true { return ".command: the program's name is empty" }
        if container.environment.count > maximumVariables { return ".env has more than \(maximumVariables) entries" }
        for variable in container.environment {
            let isPrintable = variable.name.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "=") }
            if variable.name.isEmpty || !isPrintable {
                return ".env: the name \"\(variable.name.excerpt)\" must be printable ASCII without '='"
            }
        }
        guard let readiness = container.readiness else { return nil }
        let path = readiness.path
        if !path.hasPrefix("/") || path.utf8.count > 1024 || path.contains("?") || path.contains("#")
            || path.contains(" ")
        {
            return ".readyz.httpGet.path must be a URL path of at most 1024 characters without a query"
        }
        if !(1...65535).contains(readiness.port) { return ".readyz.httpGet.port must be from 1 to 65535" }
        return nil
    }

    private static func snapshots(_ template: ActorTemplate) -> String? {
        let location = template.snapshotLocation
        if location.isEmpty { return "spec.snapshotsConfig.location is required" }
        if location.utf8.count > maximumLocation {
            return "spec.snapshotsConfig.location must be no more than \(maximumLocation) bytes"
        }
        guard let path = SnapshotURI(location).filePath else {
            return "spec.snapshotsConfig.location must be file:// and an absolute path without '..'"
        }
        if path == "/" { return "spec.snapshotsConfig.location must not be the root directory" }
        if template.sandboxClass == .process, template.onCommit != .data {
            return "spec.snapshotsConfig.onCommit must be Data: an actor of class process cannot have its memory saved"
        }
        return nil
    }
}

extension SnapshotURI {
    /// The path of a `file://` URI; nil when it is another kind, or not absolute, or goes up.
    package var filePath: String? {
        let scheme = "file://"
        guard text.hasPrefix(scheme) else { return nil }
        let path = String(text.dropFirst(scheme.count))
        let parts = path.split(separator: "/")
        guard path.hasPrefix("/"), !parts.contains("."), !parts.contains(".."),
            !path.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f })
        else { return nil }
        return path
    }
}
