/// What may be declared of volumes and where they are mounted.
package enum VolumeRules {
    static let maximumVolumes = 32
    static let maximumMounts = 32
    /// Longest path of a mount, in bytes.
    static let maximumPath = 4096

    static func violation(of template: ActorTemplate) -> String? {
        if template.volumes.count > maximumVolumes { return "spec.volumes has more than \(maximumVolumes) entries" }
        var volumes: [String: Volume.Source] = [:]
        for volume in template.volumes {
            let place = "spec.volumes[\(volume.name.excerpt)]"
            if let violation = NameRule.violation(of: volume.name) { return "\(place): the name \(violation)" }
            if volumes.updateValue(volume.source, forKey: volume.name) != nil {
                return "\(place): the name is used twice"
            }
        }
        let durable = volumes.count { $0.value == .durableDirectory }
        if durable > 1 { return "spec.volumes: a template has at most one durableDir" }
        if durable > 0, template.sandboxClass == .microvm {
            return "spec.volumes: an actor of class microvm cannot have a durableDir"
        }
        for container in template.containers {
            if let violation = violation(of: container, volumes, template.sandboxClass) {
                return "spec.containers[\(container.name)].volumeMounts\(violation)"
            }
        }
        return nil
    }

    private static func violation(
        of container: Container, _ volumes: [String: Volume.Source], _ sandboxClass: SandboxClass
    ) -> String? {
        let mounts = container.volumeMounts
        if mounts.isEmpty { return nil }
        // What an actor wrote there would be in no snapshot.
        if sandboxClass == .process {
            return ": an actor of class process has the node's own files, where nothing can be mounted; "
                + "it finds its durable directory in ATE_DURABLE_DIR"
        }
        if mounts.count > maximumMounts { return " has more than \(maximumMounts) entries" }
        var durable = 0
        for mount in mounts {
            let place = "[\(mount.name.excerpt)]"
            guard let source = volumes[mount.name] else { return "\(place): spec.volumes has no volume of this name" }
            if source == .durableDirectory { durable += 1 }
            if let violation = violation(ofPath: mount.path) { return "\(place).mountPath \(violation)" }
        }
        return durable > 1 ? ": a container mounts at most one durableDir" : nil
    }

    /// What is wrong with the path at which a volume is to be mounted; nil when nothing is.
    package static func violation(ofPath path: String) -> String? {
        if path.utf8.count > maximumPath { return "must be no more than \(maximumPath) bytes" }
        if !path.hasPrefix("/") { return "must be an absolute path" }
        if path == "/" { return "must not be the root directory" }
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        if parts.contains(where: { ["", ".", ".."].contains($0) }) {
            return "must be a clean path: without '.', '..', '//' and '/' at the end"
        }
        if path.unicodeScalars.contains(where: { $0 == ":" || $0.properties.generalCategory == .control }) {
            return "must not contain ':' or control characters"
        }
        return nil
    }
}
