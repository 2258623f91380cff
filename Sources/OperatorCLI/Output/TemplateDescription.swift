internal import Foundation
internal import SubstrateModel

extension Description {
    init(_ template: ActorTemplate) {
        add("Name", template.ref.name)
        add("Namespace", template.ref.namespace)
        add("Labels", template.labels.listed)
        add("Sandbox class", template.sandboxClass.rawValue)
        add("Pause image", template.pauseImage)
        add("Worker selector", template.workerSelector.listed)
        add("Worker pool", template.workerPool.map { "\($0)" })
        add("Snapshots under", template.snapshotLocation)
        add("Suspend keeps", template.onCommit.rawValue)
        add("Pause keeps", template.onPause.rawValue)
        add("Golden snapshot", template.golden ? "wanted" : "no")
        add("On worker loss", template.onWorkerLoss.rawValue)
        add("Idle timeout", template.idleTimeout?.inWords ?? "never")
        add("Memory limit", template.sandboxRules.memory.map { "\($0 >> 20)Mi" })
        add("CPU limit", template.sandboxRules.milliCPUs.map { "\($0)m" })
        add("Egress", template.sandboxRules.egress.map(\.described))
        add("Volumes", template.volumes.map(\.name))
        for container in template.containers { add(container) }
        add(template.status)
    }

    private mutating func add(_ container: Container) {
        add("Container", container.name)
        add("  Image", container.image)
        add("  Command", container.command.joined(separator: " "))
        add("  Environment", container.environment.map(\.described))
        add("  Ready", container.readiness.map { "GET \($0.path) on port \($0.port)" })
        add("  Mounts", container.volumeMounts.map { "\($0.name) at \($0.path)" })
    }

    private mutating func add(_ status: ActorTemplate.Status) {
        guard status.phase != .none || !status.conditions.isEmpty else { return }
        add("Phase", status.phase.rawValue)
        add("Golden actor", status.goldenActorID)
        add("Starts from", status.goldenSnapshot?.text)
        add(
            "Conditions",
            status.conditions.map { condition in
                let since = Date(timeIntervalSince1970: Double(condition.lastTransitionMilliseconds) / 1000).formatted(
                    .iso8601)
                return
                    "\(condition.type) is \(condition.status) since \(since): \(condition.reason) \(condition.message)"
            })
    }
}

extension EgressRule {
    fileprivate var described: String {
        "\(transport.rawValue) to \(subnet), "
            + (ports.isEmpty ? "all ports" : "port \(ports.map { "\($0)" }.joined(separator: ", "))")
    }
}

extension Container.Variable {
    fileprivate var described: String {
        switch source {
        case .value(let value): "\(name)=\(value)"
        case .secret(let secret):
            "\(name) from the secret \(secret.name), key \(secret.key)\(secret.isOptional ? ", if there is one" : "")"
        }
    }
}
