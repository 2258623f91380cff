package import CMessages
package import Protobuf
internal import ServiceKit
package import SubstrateModel

extension ActorTemplate {
    package func fill(_ message: inout Substrate__ActorTemplate, _ arena: Arena) {
        message.namespace_ = arena.bytes(ref.namespace)
        message.name = arena.bytes(ref.name)
        (message.n_labels, message.labels) = arena.labels(labels)
        (message.n_containers, message.containers) = arena.repeated(containers) { $0.fill(&$1, arena) }
        message.pause_image = arena.bytes(pauseImage)
        (message.n_volumes, message.volumes) = arena.repeated(volumes) { $0.fill(&$1, arena) }
        message.snapshot_location = arena.bytes(snapshotLocation)
        message.on_pause = onPause.wire
        message.on_commit = onCommit.wire
        message.sandbox_class = sandboxClass.wire
        (message.n_worker_selector, message.worker_selector) = arena.labels(workerSelector.matchLabels)
        (message.n_worker_expressions, message.worker_expressions) =
            arena.repeated(workerSelector.matchExpressions) { $0.fill(&$1, arena) }
        if let workerPool {
            message.worker_pool_ref = arena.message { ref in
                ref.namespace_ = arena.bytes(workerPool.namespace)
                ref.name = arena.bytes(workerPool.name)
            }
        }
        message.golden = golden ? 1 : 0
        message.on_worker_loss = onWorkerLoss.wire
        message.idle_timeout_ms = idleTimeout?.wholeMilliseconds ?? 0
        if sandboxRules != SandboxRules() { message.sandbox_rules = arena.message { sandboxRules.fill(&$0, arena) } }
        if status != Status() { message.status = arena.message { status.fill(&$0, arena) } }
        arena.attach(unknownFields, to: &message.base)
    }

    package init(_ message: borrowing Substrate__ActorTemplate) throws {
        let sandboxClass = try SandboxClass(message.sandbox_class)
        self.init(
            ref: TemplateRef(namespace: try message.namespace_.text("namespace"), name: try message.name.text("name")),
            containers: try map(message.containers, count: message.n_containers) { try Container($0) },
            snapshotLocation: try message.snapshot_location.text("snapshot_location"),
            onPause: try SnapshotContent(message.on_pause, of: sandboxClass, "on_pause"),
            onCommit: try SnapshotContent(message.on_commit, of: sandboxClass, "on_commit"),
            sandboxClass: sandboxClass,
            workerSelector: Selector(
                matchLabels: try readLabels(
                    message.worker_selector, count: message.n_worker_selector, "worker_selector"),
                matchExpressions: try map(message.worker_expressions, count: message.n_worker_expressions) {
                    try Selector.Requirement($0)
                }))
        labels = try readLabels(message.labels, count: message.n_labels, "labels")
        pauseImage = try message.pause_image.text("pause_image")
        volumes = try map(message.volumes, count: message.n_volumes) { try Volume($0) }
        workerPool = try message.worker_pool_ref.map { ref in
            PoolRef(
                namespace: try ref.pointee.namespace_.text("worker_pool_ref namespace"),
                name: try ref.pointee.name.text("worker_pool_ref name"))
        }
        golden = message.golden != 0
        onWorkerLoss = try OnWorkerLoss(message.on_worker_loss)
        // A negative one is kept for the rules to refuse.
        idleTimeout = message.idle_timeout_ms == 0 ? nil : .milliseconds(message.idle_timeout_ms)
        sandboxRules = try message.sandbox_rules.map { try SandboxRules($0.pointee) } ?? SandboxRules()
        status = try message.status.map { try Status($0.pointee) } ?? Status()
        unknownFields = UnknownFields(message.base)
    }
}

extension Volume {
    fileprivate func fill(_ message: inout Substrate__Volume, _ arena: Arena) {
        message.name = arena.bytes(name)
        switch source {
        case .durableDirectory:
            message.source_case = SUBSTRATE__VOLUME__SOURCE_DURABLE_DIR
            message.durable_dir = arena.message { _ in }
        }
    }

    fileprivate init(_ message: borrowing Substrate__Volume) throws {
        let name = try message.name.text("volume name")
        guard message.source_case == SUBSTRATE__VOLUME__SOURCE_DURABLE_DIR else {
            throw InvalidText(
                field: "volume \(name.excerpt)", reason: "has no source that is known: it must be durable_dir")
        }
        self.init(name: name, source: .durableDirectory)
    }
}

extension SnapshotContent {
    fileprivate var wire: Substrate__SnapshotContent {
        switch self {
        case .full: SUBSTRATE__SNAPSHOT_CONTENT__SNAPSHOT_CONTENT_FULL
        case .data: SUBSTRATE__SNAPSHOT_CONTENT__SNAPSHOT_CONTENT_DATA
        }
    }

    fileprivate init(_ wire: Substrate__SnapshotContent, of sandboxClass: SandboxClass, _ field: String) throws {
        switch wire {
        case SUBSTRATE__SNAPSHOT_CONTENT__SNAPSHOT_CONTENT_UNSPECIFIED: self = .default(of: sandboxClass)
        case SUBSTRATE__SNAPSHOT_CONTENT__SNAPSHOT_CONTENT_FULL: self = .full
        case SUBSTRATE__SNAPSHOT_CONTENT__SNAPSHOT_CONTENT_DATA: self = .data
        default: throw InvalidText(field: field, reason: "has the unknown value \(wire.rawValue)")
        }
    }
}

extension OnWorkerLoss {
    fileprivate var wire: Substrate__OnWorkerLoss {
        switch self {
        case .revert: SUBSTRATE__ON_WORKER_LOSS__ON_WORKER_LOSS_REVERT
        case .resume: SUBSTRATE__ON_WORKER_LOSS__ON_WORKER_LOSS_RESUME
        case .hold: SUBSTRATE__ON_WORKER_LOSS__ON_WORKER_LOSS_HOLD
        }
    }

    fileprivate init(_ wire: Substrate__OnWorkerLoss) throws {
        switch wire {
        case SUBSTRATE__ON_WORKER_LOSS__ON_WORKER_LOSS_UNSPECIFIED, SUBSTRATE__ON_WORKER_LOSS__ON_WORKER_LOSS_REVERT:
            self = .revert
        case SUBSTRATE__ON_WORKER_LOSS__ON_WORKER_LOSS_RESUME: self = .resume
        case SUBSTRATE__ON_WORKER_LOSS__ON_WORKER_LOSS_HOLD: self = .hold
        default: throw InvalidText(field: "on_worker_loss", reason: "has the unknown value \(wire.rawValue)")
        }
    }
}
