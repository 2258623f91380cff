/// What an operator may declare. Each function returns what is wrong, in terms of the manifest, or nil.
package enum ResourceRules {
    package static func violation(of pool: WorkerPool) -> String? {
        metadata(namespace: pool.ref.namespace, name: pool.ref.name, labels: pool.labels)
            ?? (pool.replicas < 0 ? "spec.replicas must not be negative" : nil)
            ?? (pool.replicas > Int(Int32.max) ? "spec.replicas must be no more than \(Int32.max)" : nil)
            ?? subdomain(pool.sandboxConfigName, "spec.sandboxConfigName", isRequired: false)
            ?? (pool.podTemplate.utf8.count > maximumPodTemplate
                ? "spec.template must be no more than \(maximumPodTemplate) bytes of JSON" : nil)
    }

    package static func violation(of template: ActorTemplate) -> String? {
        metadata(namespace: template.ref.namespace, name: template.ref.name, labels: template.labels)
            ?? ContainerRules.violation(of: template.containers, template.sandboxClass)
            ?? pauseImage(template)
            ?? VolumeRules.violation(of: template)
            ?? SnapshotRules.violation(of: template)
            ?? LabelRule.violation(of: template.workerSelector, at: "spec.workerSelector")
            ?? template.workerPool.flatMap(workerPool)
            ?? idleTimeout(template)
            ?? template.sandboxRules.violation(template.sandboxClass)
    }

    /// Longest settings of pods, in bytes of JSON.
    static let maximumPodTemplate = 16 << 10

    private static func metadata(namespace: String, name: String, labels: [String: String]) -> String? {
        label(namespace, "metadata.namespace") ?? subdomain(name, "metadata.name", isRequired: true)
            ?? LabelRule.violation(of: labels).map { "metadata.labels: \($0)" }
    }

    private static func workerPool(_ ref: PoolRef) -> String? {
        label(ref.namespace, "spec.workerPoolRef.namespace")
            ?? subdomain(ref.name, "spec.workerPoolRef.name", isRequired: true)
    }

    private static func label(_ text: String, _ field: String) -> String? {
        if text.isEmpty { return "\(field) is required" }
        return NameRule.violation(of: text).map { "\(field) \($0)" }
    }

    static func subdomain(_ text: String, _ field: String, isRequired: Bool) -> String? {
        if text.isEmpty { return isRequired ? "\(field) is required" : nil }
        if NameRule.allowsSubdomain(text) { return nil }
        return "\(field) must be a DNS subdomain: at most 253 lower case letters, digits, '-' and '.'"
    }

    private static func pauseImage(_ template: ActorTemplate) -> String? {
        guard template.containers.contains(where: \.hasPinnedImage), !template.pauseImage.contains("@") else {
            return nil
        }
        return template.pauseImage.isEmpty
            ? "spec.pauseImage is required because a container has an image"
            : "spec.pauseImage must be pinned with '@'"
    }

    private static let maximumIdleTimeout: Duration = .seconds(87_600 * 3600)

    private static func idleTimeout(_ template: ActorTemplate) -> String? {
        guard let timeout = template.idleTimeout else { return nil }
        if timeout < .milliseconds(1) { return "spec.idleTimeout must be at least 1ms; leave it out for none" }
        return timeout > maximumIdleTimeout ? "spec.idleTimeout must be at most 87600h, which is ten years" : nil
    }
}
