internal import CMessages
package import GRPC
internal import Protobuf
package import SubstrateModel

extension ActorInfo {
    func fill(_ message: inout Ateapi__Actor, _ arena: Arena) {
        message.actor_id = arena.bytes(ref.name)
        message.atespace = arena.bytes(ref.atespace)
        message.version = version
        message.actor_template_namespace = arena.bytes(template.namespace)
        message.actor_template_name = arena.bytes(template.name)
        message.status = status?.wire ?? ATEAPI__ACTOR__STATUS__STATUS_UNSPECIFIED
        if let assignment {
            message.ateom_pod_namespace = arena.bytes(assignment.worker.pool.namespace)
            message.worker_pool_name = arena.bytes(assignment.worker.pool.name)
            message.ateom_pod_name = arena.bytes(assignment.worker.pod)
            message.ateom_pod_uid = arena.bytes(assignment.uid)
            message.ateom_pod_ip = arena.bytes(assignment.address?.ip ?? "")
            message.ateom_pod_port = Int32(clamping: assignment.address?.port ?? 0)
        }
        message.last_snapshot = arena.bytes(lastSnapshot?.text ?? "")
        if let localSnapshot {
            message.latest_snapshot_info = arena.message { info in
                info.type = ATEAPI__SNAPSHOT_TYPE__SNAPSHOT_TYPE_LOCAL
                info.data_case = ATEAPI__SNAPSHOT_INFO__DATA_LOCAL
                info.local = arena.message { localSnapshot.fill(&$0, arena) }
            }
        } else if let lastSnapshot {
            message.latest_snapshot_info = arena.message { info in
                info.type = ATEAPI__SNAPSHOT_TYPE__SNAPSHOT_TYPE_EXTERNAL
                info.data_case = ATEAPI__SNAPSHOT_INFO__DATA_EXTERNAL
                info.external = arena.message { $0.snapshot_uri_prefix = arena.bytes(lastSnapshot.text) }
            }
        }
        message.in_progress_snapshot = arena.bytes(inProgressSnapshot ?? "")
        if !workerSelector.matchLabels.isEmpty {
            message.worker_selector = arena.message { workerSelector.fill(&$0, arena) }
        }
        message.last_failure = lastFailure.map { failure in arena.message { failure.fill(&$0, arena) } }
        message.last_worker_loss = lastRecovery.map { recovery in arena.message { recovery.fill(&$0, arena) } }
        message.last_fallback = lastFallback.map { fallback in arena.message { fallback.fill(&$0, arena) } }
        message.router_address = arena.bytes(routerAddress ?? "")
    }

    init(_ message: borrowing Ateapi__Actor) throws {
        let status = message.status
        let inProgress = try message.in_progress_snapshot.text("in_progress_snapshot")
        self.init(
            ref: ActorRef(
                atespace: try message.atespace.text("atespace"), name: try message.actor_id.text("actor_id")),
            version: message.version,
            template: TemplateRef(
                namespace: try message.actor_template_namespace.text("actor_template_namespace"),
                name: try message.actor_template_name.text("actor_template_name")),
            workerSelector: try Selector(message.worker_selector),
            status: ActorStatus.allCases.first { $0.wire == status },
            assignment: try Assignment(message),
            lastSnapshot: SnapshotURI(nonEmpty: try message.last_snapshot.text("last_snapshot")),
            localSnapshot: try LocalSnapshotInfo(message.latest_snapshot_info),
            inProgressSnapshot: inProgress.isEmpty ? nil : inProgress,
            lastFailure: try message.last_failure.map { try ResumeFailure($0.pointee) },
            lastRecovery: try message.last_worker_loss.map { try Recovery($0.pointee) },
            lastFallback: try message.last_fallback.map { try FallbackInfo($0.pointee) })
        routerAddress = try message.router_address.nonEmptyText("router_address")
    }
}

extension LocalSnapshotInfo {
    fileprivate func fill(_ message: inout Ateapi__LocalSnapshotInfo, _ arena: Arena) {
        message.snapshot_prefix = arena.bytes(prefix)
        (message.n_node_vms_with_local_snapshots, message.node_vms_with_local_snapshots) = arena.repeated(nodes)
    }

    /// Nil when the snapshot is not a local one.
    fileprivate init?(_ info: UnsafeMutablePointer<Ateapi__SnapshotInfo>?) throws {
        guard let info, info.pointee.data_case == ATEAPI__SNAPSHOT_INFO__DATA_LOCAL, let local = info.pointee.local
        else { return nil }
        self.init(
            prefix: try local.pointee.snapshot_prefix.text("snapshot_prefix"),
            nodes: try texts(
                local.pointee.node_vms_with_local_snapshots, count: local.pointee.n_node_vms_with_local_snapshots,
                "node_vms_with_local_snapshots"))
    }
}

extension SnapshotURI {
    /// The URI, or nil for an empty field.
    package init?(nonEmpty text: String) {
        if text.isEmpty { return nil }
        self.init(text)
    }
}

extension ActorAddress {
    /// The address, or nil when the field of its IP is empty.
    package init?(nonEmpty ip: String, _ port: Int32) {
        if ip.isEmpty { return nil }
        self.init(ip: ip, port: Int(port))
    }
}

extension Assignment {
    fileprivate init?(_ message: borrowing Ateapi__Actor) throws {
        let pod = try message.ateom_pod_name.text("ateom_pod_name")
        if pod.isEmpty { return nil }
        let pool = PoolRef(
            namespace: try message.ateom_pod_namespace.text("ateom_pod_namespace"),
            name: try message.worker_pool_name.text("worker_pool_name"))
        self.init(
            worker: WorkerRef(pool: pool, pod: pod), uid: try message.ateom_pod_uid.text("ateom_pod_uid"),
            address: ActorAddress(nonEmpty: try message.ateom_pod_ip.text("ateom_pod_ip"), message.ateom_pod_port))
    }
}

extension ActorStatus {
    var wire: Ateapi__Actor__Status {
        switch self {
        case .resuming: ATEAPI__ACTOR__STATUS__STATUS_RESUMING
        case .running: ATEAPI__ACTOR__STATUS__STATUS_RUNNING
        case .suspending: ATEAPI__ACTOR__STATUS__STATUS_SUSPENDING
        case .suspended: ATEAPI__ACTOR__STATUS__STATUS_SUSPENDED
        case .pausing: ATEAPI__ACTOR__STATUS__STATUS_PAUSING
        case .paused: ATEAPI__ACTOR__STATUS__STATUS_PAUSED
        }
    }
}

extension Selector {
    fileprivate func fill(_ message: inout Ateapi__Selector, _ arena: Arena) {
        (message.n_match_labels, message.match_labels) = arena.labels(matchLabels)
    }

    fileprivate init(_ message: UnsafeMutablePointer<Ateapi__Selector>?) throws {
        let labels = try message.map {
            try readLabels($0.pointee.match_labels, count: $0.pointee.n_match_labels, "match_labels")
        }
        self.init(matchLabels: labels ?? [:])
    }
}

extension GetActorRequest: WireMessage {
    package init(_ message: Message) throws {
        actor = try message.unpack(Ateapi__GetActorRequest.self) { try ActorRef(field: $0.actor_ref) }
    }

    package var message: Message {
        Message.packing(Ateapi__GetActorRequest.self) { $0.actor_ref = actor.field($1) }
    }
}

extension CreateActorRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Ateapi__CreateActorRequest.self) { request in
            CreateActorRequest(
                actor: try ActorRef(field: request.actor_ref),
                template: TemplateRef(
                    namespace: try request.actor_template_namespace.text("actor_template_namespace"),
                    name: try request.actor_template_name.text("actor_template_name")),
                workerSelector: try Selector(request.worker_selector))
        }
    }

    package var message: Message {
        Message.packing(Ateapi__CreateActorRequest.self) { request, arena in
            request.actor_ref = actor.field(arena)
            request.actor_template_namespace = arena.bytes(template.namespace)
            request.actor_template_name = arena.bytes(template.name)
            request.worker_selector = arena.message { workerSelector.fill(&$0, arena) }
        }
    }
}

extension UpdateActorRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Ateapi__UpdateActorRequest.self) { request in
            UpdateActorRequest(
                actor: try ActorRef(field: request.actor_ref), workerSelector: try Selector(request.worker_selector))
        }
    }

    package var message: Message {
        Message.packing(Ateapi__UpdateActorRequest.self) { request, arena in
            request.actor_ref = actor.field(arena)
            request.worker_selector = arena.message { workerSelector.fill(&$0, arena) }
        }
    }
}

extension SuspendActorRequest: WireMessage {
    package init(_ message: Message) throws {
        actor = try message.unpack(Ateapi__SuspendActorRequest.self) { try ActorRef(field: $0.actor_ref) }
    }

    package var message: Message {
        Message.packing(Ateapi__SuspendActorRequest.self) { $0.actor_ref = actor.field($1) }
    }
}

extension PauseActorRequest: WireMessage {
    package init(_ message: Message) throws {
        actor = try message.unpack(Ateapi__PauseActorRequest.self) { try ActorRef(field: $0.actor_ref) }
    }

    package var message: Message {
        Message.packing(Ateapi__PauseActorRequest.self) { $0.actor_ref = actor.field($1) }
    }
}

extension ResumeActorRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Ateapi__ResumeActorRequest.self) { request in
            ResumeActorRequest(actor: try ActorRef(field: request.actor_ref), boot: request.boot != 0)
        }
    }

    package var message: Message {
        Message.packing(Ateapi__ResumeActorRequest.self) { request, arena in
            request.actor_ref = actor.field(arena)
            request.boot = boot ? 1 : 0
        }
    }
}

extension DeleteActorRequest: WireMessage {
    package init(_ message: Message) throws {
        actor = try message.unpack(Ateapi__DeleteActorRequest.self) { try ActorRef(field: $0.actor_ref) }
    }

    package var message: Message {
        Message.packing(Ateapi__DeleteActorRequest.self) { $0.actor_ref = actor.field($1) }
    }
}

// The six responses with one actor have the same fields on the wire.
extension ActorResponse: WireMessage {
    package init(_ message: Message) throws {
        actor = try message.unpack(Ateapi__GetActorResponse.self) { response in
            guard let actor = response.actor else {
                throw MalformedMessage(name: "ateapi.GetActorResponse", reason: "it holds no actor")
            }
            return try ActorInfo(actor.pointee)
        }
    }

    package var message: Message {
        Message.packing(Ateapi__GetActorResponse.self) { response, arena in
            response.actor = arena.message { actor.fill(&$0, arena) }
        }
    }
}

extension ListActorsRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Ateapi__ListActorsRequest.self) { request in
            ListActorsRequest(
                pageSize: Int(request.page_size), pageToken: try request.page_token.text("page_token"),
                atespace: try request.atespace.text("atespace"))
        }
    }

    package var message: Message {
        Message.packing(Ateapi__ListActorsRequest.self) { request, arena in
            request.page_size = Int32(clamping: pageSize)
            request.page_token = arena.bytes(pageToken)
            request.atespace = arena.bytes(atespace)
        }
    }
}

extension ListActorsResponse: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Ateapi__ListActorsResponse.self) { response in
            ListActorsResponse(
                actors: try map(response.actors, count: response.n_actors) { try ActorInfo($0) },
                nextPageToken: try response.next_page_token.text("next_page_token"))
        }
    }

    package var message: Message {
        Message.packing(Ateapi__ListActorsResponse.self) { response, arena in
            (response.n_actors, response.actors) = arena.repeated(actors) { $0.fill(&$1, arena) }
            response.next_page_token = arena.bytes(nextPageToken)
        }
    }
}
