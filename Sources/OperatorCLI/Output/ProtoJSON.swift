internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// Values in protobuf's JSON form: lower camel case, sorted, 64-bit numbers as text, defaults left out.
enum ProtoJSON {
    static func object(_ members: [(String, JSON)]) -> JSON {
        .object(
            members.filter { member in
                switch member.1 {
                case .string(""), .integer(0), .boolean(false): false
                case .array(let elements): !elements.isEmpty
                case .object(let members): !members.isEmpty
                default: true
                }
            }.sorted { $0.0 < $1.0 })
    }

    static func labels(_ labels: [String: String]) -> JSON {
        .object(labels.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
    }

    static func actor(_ actor: ActorInfo) -> JSON {
        object([
            ("actorId", .string(actor.ref.name)), ("atespace", .string(actor.ref.atespace)),
            ("version", .string("\(actor.version)")), ("status", .string(actor.status?.rawValue ?? "")),
            ("actorTemplateNamespace", .string(actor.template.namespace)),
            ("actorTemplateName", .string(actor.template.name)),
            ("ateomPodNamespace", .string(actor.assignment?.worker.pool.namespace ?? "")),
            ("ateomPodName", .string(actor.assignment?.worker.pod ?? "")),
            ("ateomPodUid", .string(actor.assignment?.uid ?? "")),
            ("ateomPodIp", .string(actor.assignment?.address?.ip ?? "")),
            ("ateomPodPort", .integer(Int64(actor.assignment?.address?.port ?? 0))),
            ("workerPoolName", .string(actor.assignment?.worker.pool.name ?? "")),
            ("inProgressSnapshot", .string(actor.inProgressSnapshot ?? "")),
            ("lastSnapshot", .string(actor.lastSnapshot?.text ?? "")),
            ("latestSnapshotInfo", latestSnapshot(actor)),
            ("workerSelector", object([("matchLabels", labels(actor.workerSelector.matchLabels))])),
        ])
    }

    private static func latestSnapshot(_ actor: ActorInfo) -> JSON {
        if let local = actor.localSnapshot {
            return object([
                ("type", "SNAPSHOT_TYPE_LOCAL"),
                (
                    "local",
                    object([
                        ("snapshotPrefix", .string(local.prefix)),
                        ("nodeVmsWithLocalSnapshots", .array(local.nodes.map(JSON.string))),
                    ])
                ),
            ])
        }
        guard let snapshot = actor.lastSnapshot else { return .object([]) }
        return object([
            ("type", "SNAPSHOT_TYPE_EXTERNAL"), ("external", object([("snapshotUriPrefix", .string(snapshot.text))])),
        ])
    }

    static func worker(_ worker: WorkerInfo) -> JSON {
        object([
            ("workerNamespace", .string(worker.ref.pool.namespace)), ("workerPool", .string(worker.ref.pool.name)),
            ("drainingUntilMs", .string(worker.drainingUntilMilliseconds.map { "\($0)" } ?? "")),
            ("workerPod", .string(worker.ref.pod)), ("workerPodUid", .string(worker.uid)),
            ("nodeName", .string(worker.node)), ("ip", .string(worker.ip)), ("port", .integer(Int64(worker.port))),
            ("actorReady", .boolean(worker.isActorReady)), ("version", .string("\(worker.version)")),
            ("actorId", .string(worker.actor?.name ?? "")), ("actorAtespace", .string(worker.actor?.atespace ?? "")),
            ("actorNamespace", .string(worker.template?.namespace ?? "")),
            ("actorTemplate", .string(worker.template?.name ?? "")),
        ])
    }
}
