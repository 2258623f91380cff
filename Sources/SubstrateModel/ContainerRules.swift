/// What may be declared of containers.
package enum ContainerRules {
    static let maximumContainers = 10
    /// Longest argument list of a container.
    static let maximumCommand = 64
    static let maximumVariables = 32

    /// What is wrong with the containers of a template, in terms of the manifest, or nil.
    package static func violation(of containers: [Container], _ sandboxClass: SandboxClass) -> String? {
        if containers.isEmpty { return "spec.containers must name at least one container" }
        if containers.count > maximumContainers { return "spec.containers has more than \(maximumContainers) entries" }
        var names: Set<String> = []
        for container in containers {
            let place = "spec.containers[\(container.name.excerpt)]"
            if let violation = NameRule.violation(of: container.name) { return "\(place): the name \(violation)" }
            if container.name == "pause" { return "\(place): the name pause is reserved" }
            if !names.insert(container.name).inserted { return "\(place): the name is used twice" }
            let violation =
                image(of: container, sandboxClass) ?? command(of: container) ?? environment(of: container)
                ?? container.readiness.flatMap(readiness)
            if let violation { return place + violation }
        }
        return nil
    }

    private static func image(of container: Container, _ sandboxClass: SandboxClass) -> String? {
        let image = container.image
        if image.hasPrefix(Container.rootDirectoryPrefix) {
            if SnapshotURI("file://" + image.dropFirst(Container.rootDirectoryPrefix.count)).filePath == nil {
                return ".image: 'rootfs:' must be followed by an absolute path without '..'"
            }
        } else if !image.isEmpty, !container.hasPinnedImage {
            return ".image must be pinned with '@', or begin with 'rootfs:', or be empty"
        }
        if sandboxClass == .process, !image.isEmpty {
            return ".image: an actor of class process has the node's own files; leave the image out"
        }
        return nil
    }

    private static func command(of container: Container) -> String? {
        // A pinned image may say itself what is to run.
        if container.command.isEmpty, !container.hasPinnedImage { return ".command must name a program" }
        if container.command.count > maximumCommand { return ".command has more than \(maximumCommand) entries" }
        if container.command.first?.isEmpty == true { return ".command: the program's name is empty" }
        return nil
    }

    private static func environment(of container: Container) -> String? {
        if container.environment.count > maximumVariables { return ".env has more than \(maximumVariables) entries" }
        for variable in container.environment {
            let isPrintable = variable.name.utf8.allSatisfy { (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "=") }
            if variable.name.isEmpty || !isPrintable {
                return ".env: the name \"\(variable.name.excerpt)\" must be printable ASCII without '='"
            }
            if case .secret(let secret) = variable.source, let violation = violation(of: secret) {
                return ".env[\(variable.name.excerpt)].valueFrom.secretKeyRef\(violation)"
            }
        }
        return nil
    }

    /// Whether a secret may be named so. Its names can be parts of a path as they are.
    package static func allows(_ secret: Container.SecretKey) -> Bool { violation(of: secret) == nil }

    private static func violation(of secret: Container.SecretKey) -> String? {
        if let violation = ResourceRules.subdomain(secret.name, ".name", isRequired: true) { return violation }
        // Kubernetes' rule, which also keeps it a name of a file.
        let isKey = (1...253).contains(secret.key.utf8.count) && secret.key.utf8.allSatisfy(LabelRule.isNameByte)
        if !isKey || secret.key == "." || secret.key.hasPrefix("..") {
            return ".key must be at most 253 letters, digits, '-', '_' and '.', and not begin with '..'"
        }
        return nil
    }

    private static func readiness(_ readiness: Container.Readiness) -> String? {
        let path = readiness.path
        let isPath = path.utf8.allSatisfy { (0x21...0x7e).contains($0) && !"?#".utf8.contains($0) }
        if !path.hasPrefix("/") || path.utf8.count > 1024 || !isPath {
            return ".readyz.httpGet.path must be a URL path of at most 1024 characters without a query"
        }
        if !(1...65535).contains(readiness.port) { return ".readyz.httpGet.port must be from 1 to 65535" }
        return nil
    }
}

extension Container {
    /// Before the directory that an actor of its own root file system has instead of an image.
    static let rootDirectoryPrefix = "rootfs:"

    /// Whether it has an image of a registry.
    var hasPinnedImage: Bool { image.contains("@") && !image.hasPrefix(Self.rootDirectoryPrefix) }
}
