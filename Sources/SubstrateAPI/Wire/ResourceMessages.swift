package import CMessages
package import GRPC
package import Protobuf
package import SubstrateModel

// Used by the API and by the store, whose records hold the same messages.

extension WorkerPool {
    package func fill(_ message: inout Substrate__WorkerPool, _ arena: Arena) {
        message.namespace_ = arena.bytes(ref.namespace)
        message.name = arena.bytes(ref.name)
        (message.n_labels, message.labels) = arena.labels(labels)
        message.replicas = Int32(clamping: replicas)
        message.sandbox_class = sandboxClass.wire
        arena.attach(unknownFields, to: &message.base)
    }

    package init(_ message: borrowing Substrate__WorkerPool) throws {
        self.init(
            ref: PoolRef(namespace: try message.namespace_.text("namespace"), name: try message.name.text("name")),
            labels: try readLabels(message.labels, count: message.n_labels, "labels"),
            replicas: Int(message.replicas), sandboxClass: try SandboxClass(message.sandbox_class))
        unknownFields = UnknownFields(message.base)
    }
}

extension ActorTemplate {
    package func fill(_ message: inout Substrate__ActorTemplate, _ arena: Arena) {
        message.namespace_ = arena.bytes(ref.namespace)
        message.name = arena.bytes(ref.name)
        (message.n_containers, message.containers) = arena.repeated(containers) { $0.fill(&$1, arena) }
        message.snapshot_location = arena.bytes(snapshotLocation)
        message.on_commit = onCommit.wire
        message.sandbox_class = sandboxClass.wire
        (message.n_worker_selector, message.worker_selector) = arena.labels(workerSelector.matchLabels)
        arena.attach(unknownFields, to: &message.base)
    }

    package init(_ message: borrowing Substrate__ActorTemplate) throws {
        self.init(
            ref: TemplateRef(namespace: try message.namespace_.text("namespace"), name: try message.name.text("name")),
            containers: try map(message.containers, count: message.n_containers) { try Container($0) },
            snapshotLocation: try message.snapshot_location.text("snapshot_location"),
            onCommit: try SnapshotContent(message.on_commit), sandboxClass: try SandboxClass(message.sandbox_class),
            workerSelector: Selector(
                matchLabels: try readLabels(
                    message.worker_selector, count: message.n_worker_selector, "worker_selector")))
        unknownFields = UnknownFields(message.base)
    }
}

extension Container {
    fileprivate func fill(_ message: inout Substrate__TemplateContainer, _ arena: Arena) {
        message.name = arena.bytes(name)
        message.image = arena.bytes(image)
        (message.n_command, message.command) = arena.repeated(command)
        (message.n_env, message.env) = arena.repeated(environment) { variable, entry in
            entry.name = arena.bytes(variable.name)
            entry.value = arena.bytes(variable.value)
        }
        if let readiness {
            message.readyz = arena.message { probe in
                probe.path = arena.bytes(readiness.path)
                probe.port = Int32(clamping: readiness.port)
            }
        }
        arena.attach(unknownFields, to: &message.base)
    }

    fileprivate init(_ message: borrowing Substrate__TemplateContainer) throws {
        self.init(
            name: try message.name.text("container name"), image: try message.image.text("container image"),
            command: try texts(message.command, count: message.n_command, "container command"),
            environment: try map(message.env, count: message.n_env) { entry in
                Variable(name: try entry.name.text("env name"), value: try entry.value.text("env value"))
            },
            readiness: try message.readyz.map { probe in
                Readiness(path: try probe.pointee.path.text("readyz path"), port: Int(probe.pointee.port))
            })
        unknownFields = UnknownFields(message.base)
    }
}

extension SandboxClass {
    package var wire: Substrate__SandboxClass {
        switch self {
        case .gvisor: SUBSTRATE__SANDBOX_CLASS__SANDBOX_CLASS_GVISOR
        case .microvm: SUBSTRATE__SANDBOX_CLASS__SANDBOX_CLASS_MICROVM
        case .process: SUBSTRATE__SANDBOX_CLASS__SANDBOX_CLASS_PROCESS
        }
    }

    /// The reference's default when the field is not set.
    package init(_ wire: Substrate__SandboxClass) throws {
        switch wire {
        case SUBSTRATE__SANDBOX_CLASS__SANDBOX_CLASS_UNSPECIFIED, SUBSTRATE__SANDBOX_CLASS__SANDBOX_CLASS_GVISOR:
            self = .gvisor
        case SUBSTRATE__SANDBOX_CLASS__SANDBOX_CLASS_MICROVM: self = .microvm
        case SUBSTRATE__SANDBOX_CLASS__SANDBOX_CLASS_PROCESS: self = .process
        default: throw InvalidText(field: "sandbox_class", reason: "has the unknown value \(wire.rawValue)")
        }
    }
}

extension SnapshotContent {
    fileprivate var wire: Substrate__SnapshotContent {
        switch self {
        case .full: SUBSTRATE__SNAPSHOT_CONTENT__SNAPSHOT_CONTENT_FULL
        case .data: SUBSTRATE__SNAPSHOT_CONTENT__SNAPSHOT_CONTENT_DATA
        }
    }

    fileprivate init(_ wire: Substrate__SnapshotContent) throws {
        switch wire {
        case SUBSTRATE__SNAPSHOT_CONTENT__SNAPSHOT_CONTENT_UNSPECIFIED,
            SUBSTRATE__SNAPSHOT_CONTENT__SNAPSHOT_CONTENT_FULL:
            self = .full
        case SUBSTRATE__SNAPSHOT_CONTENT__SNAPSHOT_CONTENT_DATA: self = .data
        default: throw InvalidText(field: "on_commit", reason: "has the unknown value \(wire.rawValue)")
        }
    }
}

// Apply, its response and the response of Get all hold the resource in field 1.

extension PoolMessage: WireMessage {
    package init(_ message: Message) throws {
        pool = try message.unpack(Substrate__ApplyWorkerPoolRequest.self) { request in
            guard let pool = request.pool else {
                throw MalformedMessage(name: "substrate.ApplyWorkerPoolRequest", reason: "it holds no pool")
            }
            return try WorkerPool(pool.pointee)
        }
    }

    package var message: Message {
        Message.packing(Substrate__ApplyWorkerPoolRequest.self) { request, arena in
            request.pool = arena.message { pool.fill(&$0, arena) }
        }
    }
}

extension TemplateMessage: WireMessage {
    package init(_ message: Message) throws {
        template = try message.unpack(Substrate__ApplyActorTemplateRequest.self) { request in
            guard let template = request.template_ else {
                throw MalformedMessage(name: "substrate.ApplyActorTemplateRequest", reason: "it holds no template")
            }
            return try ActorTemplate(template.pointee)
        }
    }

    package var message: Message {
        Message.packing(Substrate__ApplyActorTemplateRequest.self) { request, arena in
            request.template_ = arena.message { template.fill(&$0, arena) }
        }
    }
}

extension NamedRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__GetWorkerPoolRequest.self) { request in
            NamedRequest(namespace: try request.namespace_.text("namespace"), name: try request.name.text("name"))
        }
    }

    package var message: Message {
        Message.packing(Substrate__GetWorkerPoolRequest.self) { request, arena in
            request.namespace_ = arena.bytes(namespace)
            request.name = arena.bytes(name)
        }
    }
}

extension ListRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__ListWorkerPoolsRequest.self) { _ in ListRequest() }
    }

    package var message: Message { Message.packing(Substrate__ListWorkerPoolsRequest.self) { _, _ in } }
}

extension ListPoolsResponse: WireMessage {
    package init(_ message: Message) throws {
        pools = try message.unpack(Substrate__ListWorkerPoolsResponse.self) { response in
            try map(response.pools, count: response.n_pools) { try WorkerPool($0) }
        }
    }

    package var message: Message {
        Message.packing(Substrate__ListWorkerPoolsResponse.self) { response, arena in
            (response.n_pools, response.pools) = arena.repeated(pools) { $0.fill(&$1, arena) }
        }
    }
}

extension ListTemplatesResponse: WireMessage {
    package init(_ message: Message) throws {
        templates = try message.unpack(Substrate__ListActorTemplatesResponse.self) { response in
            try map(response.templates, count: response.n_templates) { try ActorTemplate($0) }
        }
    }

    package var message: Message {
        Message.packing(Substrate__ListActorTemplatesResponse.self) { response, arena in
            (response.n_templates, response.templates) = arena.repeated(templates) { $0.fill(&$1, arena) }
        }
    }
}
