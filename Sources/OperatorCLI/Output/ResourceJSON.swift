internal import ServiceKit
internal import SubstrateModel

/// Pools and templates, as the messages of `substrate/resources.proto` are in JSON.
extension ProtoJSON {
    static func pool(_ pool: WorkerPool) -> JSON {
        object([
            ("namespace", .string(pool.ref.namespace)), ("name", .string(pool.ref.name)),
            ("labels", labels(pool.labels)), ("replicas", .integer(Int64(pool.replicas))),
            ("sandboxClass", .string(pool.sandboxClass.rawValue)), ("ateomImage", .string(pool.ateomImage)),
            ("sandboxConfigName", .string(pool.sandboxConfigName)), ("podTemplate", .string(pool.podTemplate)),
            ("status", object([("replicas", .integer(Int64(pool.status.replicas)))])),
        ])
    }

    static func template(_ template: ActorTemplate) -> JSON {
        object([
            ("namespace", .string(template.ref.namespace)), ("name", .string(template.ref.name)),
            ("labels", labels(template.labels)), ("containers", .array(template.containers.map(container))),
            ("pauseImage", .string(template.pauseImage)), ("volumes", .array(template.volumes.map(volume))),
            ("snapshotLocation", .string(template.snapshotLocation)), ("onPause", .string(template.onPause.rawValue)),
            ("onCommit", .string(template.onCommit.rawValue)),
            ("sandboxClass", .string(template.sandboxClass.rawValue)),
            ("workerSelector", labels(template.workerSelector.matchLabels)),
            ("workerExpressions", .array(template.workerSelector.matchExpressions.map(requirement))),
            (
                "workerPoolRef",
                object([
                    ("namespace", .string(template.workerPool?.namespace ?? "")),
                    ("name", .string(template.workerPool?.name ?? "")),
                ])
            ),
            ("golden", .boolean(template.golden)), ("onWorkerLoss", .string(template.onWorkerLoss.rawValue)),
            ("idleTimeoutMs", .string(template.idleTimeout.map { "\($0.wholeMilliseconds)" } ?? "")),
            ("sandboxRules", sandboxRules(template.sandboxRules)),
            ("status", status(template.status)),
        ])
    }

    private static func sandboxRules(_ rules: SandboxRules) -> JSON {
        object([
            ("memory", .string(rules.memory.map { "\($0)" } ?? "")),
            ("milliCpus", .integer(Int64(rules.milliCPUs ?? 0))),
            (
                "egress",
                .array(
                    rules.egress.map { rule in
                        object([
                            ("cidr", .string(rule.subnet)), ("protocol", .string(rule.transport.rawValue)),
                            ("ports", .array(rule.ports.map { .integer(Int64($0)) })),
                        ])
                    })
            ),
        ])
    }

    private static func container(_ container: Container) -> JSON {
        object([
            ("name", .string(container.name)), ("image", .string(container.image)),
            ("command", .array(container.command.map(JSON.string))),
            ("env", .array(container.environment.map(variable))),
            (
                "readyz",
                container.readiness.map {
                    object([("path", .string($0.path)), ("port", .integer(Int64($0.port)))])
                } ?? .object([])
            ),
            (
                "volumeMounts",
                .array(
                    container.volumeMounts.map {
                        object([("name", .string($0.name)), ("mountPath", .string($0.path))])
                    })
            ),
        ])
    }

    private static func variable(_ variable: Container.Variable) -> JSON {
        switch variable.source {
        case .value(let value): object([("name", .string(variable.name)), ("value", .string(value))])
        case .secret(let secret):
            object([
                ("name", .string(variable.name)),
                (
                    "secretKeyRef",
                    object([
                        ("name", .string(secret.name)), ("key", .string(secret.key)),
                        ("optional", .boolean(secret.isOptional)),
                    ])
                ),
            ])
        }
    }

    private static func volume(_ volume: Volume) -> JSON {
        switch volume.source {
        // Nothing is in it, and yet it says which source it is.
        case .durableDirectory: .object([("durableDir", .object([])), ("name", .string(volume.name))])
        }
    }

    private static func requirement(_ requirement: Selector.Requirement) -> JSON {
        object([
            ("key", .string(requirement.key)), ("operator", .string(requirement.operator.rawValue)),
            ("values", .array(requirement.values.map(JSON.string))),
        ])
    }

    private static func status(_ status: ActorTemplate.Status) -> JSON {
        object([
            ("phase", .string(status.phase.rawValue)), ("goldenActorId", .string(status.goldenActorID)),
            ("takeGoldenSnapshotAtMs", .string(status.takeGoldenSnapshotAtMilliseconds.map { "\($0)" } ?? "")),
            ("goldenSnapshot", .string(status.goldenSnapshot?.text ?? "")),
            (
                "conditions",
                .array(
                    status.conditions.map { condition in
                        object([
                            ("type", .string(condition.type)), ("status", .string(condition.status)),
                            ("reason", .string(condition.reason)), ("message", .string(condition.message)),
                            ("lastTransitionMs", .string("\(condition.lastTransitionMilliseconds)")),
                        ])
                    })
            ),
        ])
    }
}
