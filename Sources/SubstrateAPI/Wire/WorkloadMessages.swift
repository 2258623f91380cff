internal import CMessages
internal import CProtobufC
package import GRPC
internal import Protobuf
internal import ServiceKit
internal import SubstrateModel

// The names are those of the generated structs, which have to match.
// swift-format-ignore: AlwaysUseLowerCamelCase, NeverUseImplicitlyUnwrappedOptionals
/// The fields that Run, Checkpoint and Restore have in common.
private protocol WorkloadFields {
    var target_ateom_uid: ProtobufCBinaryData { get set }
    var actor_template_namespace: ProtobufCBinaryData { get set }
    var actor_template_name: ProtobufCBinaryData { get set }
    var actor_id: ProtobufCBinaryData { get set }
    var actor_atespace: ProtobufCBinaryData { get set }
    var actor_uid: ProtobufCBinaryData { get set }
    var spec: UnsafeMutablePointer<Atelet__WorkloadSpec>! { get set }
}

extension Atelet__RunRequest: WorkloadFields {}
extension Atelet__CheckpointRequest: WorkloadFields {}

extension Workload {
    fileprivate func fill(_ message: inout some WorkloadFields, workerUID: String, _ arena: Arena) {
        message.target_ateom_uid = arena.bytes(workerUID)
        message.actor_template_namespace = arena.bytes(template.namespace)
        message.actor_template_name = arena.bytes(template.name)
        message.actor_id = arena.bytes(actor.name)
        message.actor_atespace = arena.bytes(actor.atespace)
        message.actor_uid = arena.bytes(actorUID)
        message.spec = arena.message { spec in
            (spec.n_containers, spec.containers) = arena.repeated(containers) { $0.fill(&$1, arena) }
            if sandboxRules != SandboxRules() { spec.sandbox_rules = arena.message { sandboxRules.fill(&$0, arena) } }
        }
    }

    fileprivate init(_ message: borrowing some WorkloadFields) throws {
        self.init(
            actor: ActorRef(
                atespace: try message.actor_atespace.text("actor_atespace"),
                name: try message.actor_id.text("actor_id")),
            actorUID: try message.actor_uid.text("actor_uid"),
            template: TemplateRef(
                namespace: try message.actor_template_namespace.text("actor_template_namespace"),
                name: try message.actor_template_name.text("actor_template_name")),
            containers: try message.spec.map { spec in
                try map(spec.pointee.containers, count: spec.pointee.n_containers) { try Container($0) }
            } ?? [],
            sandboxRules: try message.spec?.pointee.sandbox_rules.map { try SandboxRules($0.pointee) }
                ?? SandboxRules())
    }
}

extension Container {
    fileprivate func fill(_ message: inout Atelet__Container, _ arena: Arena) {
        message.name = arena.bytes(name)
        message.image = arena.bytes(image)
        (message.n_command, message.command) = arena.repeated(command)
        (message.n_env, message.env) = arena.repeated(environment) { variable, entry in
            entry.name = arena.bytes(variable.name)
            switch variable.source {
            case .value(let value): entry.value = arena.bytes(value)
            case .secret(let secret): entry.secret_key_ref = arena.message { secret.fill(&$0, arena) }
            }
        }
        if let readiness {
            message.readyz = arena.message { readyz in
                readyz.http_get = arena.message { probe in
                    probe.path = arena.bytes(readiness.path)
                    probe.port = Int32(clamping: readiness.port)
                }
            }
        }
        (message.n_volume_mounts, message.volume_mounts) = arena.repeated(volumeMounts) { mount, entry in
            entry.name = arena.bytes(mount.name)
            entry.mount_path = arena.bytes(mount.path)
        }
    }

    fileprivate init(_ message: borrowing Atelet__Container) throws {
        self.init(
            name: try message.name.text("container name"), image: try message.image.text("container image"),
            command: try texts(message.command, count: message.n_command, "container command"),
            environment: try map(message.env, count: message.n_env) { entry in
                let source: Variable.Source =
                    if let secret = entry.secret_key_ref {
                        .secret(try SecretKey(secret.pointee))
                    } else {
                        .value(try entry.value.text("env value"))
                    }
                return Variable(name: try entry.name.text("env name"), source: source)
            },
            readiness: try message.readyz?.pointee.http_get.map { probe in
                let path = try probe.pointee.path.text("readyz path")
                return Readiness(path: path.isEmpty ? Readiness.defaultPath : path, port: Int(probe.pointee.port))
            })
        volumeMounts = try map(message.volume_mounts, count: message.n_volume_mounts) { entry in
            VolumeMount(name: try entry.name.text("mount name"), path: try entry.mount_path.text("mount_path"))
        }
    }
}

extension RunRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Atelet__RunRequest.self) { request in
            RunRequest(
                workerUID: try request.target_ateom_uid.text("target_ateom_uid"), workload: try Workload(request))
        }
    }

    package var message: Message {
        Message.packing(Atelet__RunRequest.self) { workload.fill(&$0, workerUID: workerUID, $1) }
    }
}

/// Checkpoint and Restore have the same fields on the wire.
private struct SnapshotRequest {
    var workerUID: String
    var workload: Workload
    var snapshot: Snapshot
    var content: SnapshotContent?
    /// Of a Checkpoint only.
    var minimumIdleness: Duration?

    init(
        workerUID: String, workload: Workload, snapshot: Snapshot, content: SnapshotContent?,
        minimumIdleness: Duration? = nil
    ) {
        self.workerUID = workerUID
        self.workload = workload
        self.snapshot = snapshot
        self.content = content
        self.minimumIdleness = minimumIdleness
    }

    init(_ message: Message) throws {
        self = try message.unpack(Atelet__CheckpointRequest.self) { request in
            let content: SnapshotContent? =
                switch request.scope {
                case ATELET__SNAPSHOT_SCOPE__SNAPSHOT_SCOPE_FULL: .full
                case ATELET__SNAPSHOT_SCOPE__SNAPSHOT_SCOPE_DATA: .data
                default: nil
                }
            return SnapshotRequest(
                workerUID: try request.target_ateom_uid.text("target_ateom_uid"), workload: try Workload(request),
                snapshot: try Snapshot(request), content: content,
                minimumIdleness: request.minimum_idle_ms > 0 ? .milliseconds(request.minimum_idle_ms) : nil)
        }
    }

    var message: Message {
        Message.packing(Atelet__CheckpointRequest.self) { request, arena in
            workload.fill(&request, workerUID: workerUID, arena)
            snapshot.fill(&request, arena)
            request.scope =
                switch content {
                case .full: ATELET__SNAPSHOT_SCOPE__SNAPSHOT_SCOPE_FULL
                case .data: ATELET__SNAPSHOT_SCOPE__SNAPSHOT_SCOPE_DATA
                case nil: ATELET__SNAPSHOT_SCOPE__SNAPSHOT_SCOPE_UNSPECIFIED
                }
            if let minimumIdleness { request.minimum_idle_ms = minimumIdleness.wholeMilliseconds }
        }
    }
}

extension Snapshot {
    fileprivate func fill(_ request: inout Atelet__CheckpointRequest, _ arena: Arena) {
        switch self {
        case .external(let uri):
            request.type = ATELET__CHECKPOINT_TYPE__CHECKPOINT_TYPE_EXTERNAL
            request.config_case = ATELET__CHECKPOINT_REQUEST__CONFIG_EXTERNAL_CONFIG
            request.external_config = arena.message { $0.snapshot_uri_prefix = arena.bytes(uri.text) }
        case .local(let name):
            request.type = ATELET__CHECKPOINT_TYPE__CHECKPOINT_TYPE_LOCAL
            request.config_case = ATELET__CHECKPOINT_REQUEST__CONFIG_LOCAL_CONFIG
            request.local_config = arena.message { $0.snapshot_prefix = arena.bytes(name.text) }
        }
    }

    /// The type decides; a request without one is for an external snapshot. A configuration of the other kind is an error.
    fileprivate init(_ request: borrowing Atelet__CheckpointRequest) throws {
        let config = request.config_case
        if request.type == ATELET__CHECKPOINT_TYPE__CHECKPOINT_TYPE_LOCAL {
            guard config == ATELET__CHECKPOINT_REQUEST__CONFIG_LOCAL_CONFIG, let local = request.local_config else {
                throw InvalidText(field: "local_config.snapshot_prefix", reason: "is required")
            }
            let text = try local.pointee.snapshot_prefix.text("local_config.snapshot_prefix")
            if text.isEmpty { throw InvalidText(field: "local_config.snapshot_prefix", reason: "is required") }
            guard let name = LocalSnapshotName(text) else {
                throw InvalidText(
                    field: "local_config.snapshot_prefix",
                    reason:
                        "must be the actor's uid and a nonce, of lower case letters, digits and '-', with a slash between"
                )
            }
            self = .local(name)
            return
        }
        guard config == ATELET__CHECKPOINT_REQUEST__CONFIG_EXTERNAL_CONFIG, let external = request.external_config
        else { throw InvalidText(field: "external_config.snapshot_uri_prefix", reason: "is required") }
        self = .external(SnapshotURI(try external.pointee.snapshot_uri_prefix.text("snapshot_uri_prefix")))
    }
}

extension CheckpointRequest: WireMessage {
    package init(_ message: Message) throws {
        let request = try SnapshotRequest(message)
        self.init(
            workerUID: request.workerUID, workload: request.workload, snapshot: request.snapshot,
            content: request.content, minimumIdleness: request.minimumIdleness)
    }

    package var message: Message {
        SnapshotRequest(
            workerUID: workerUID, workload: workload, snapshot: snapshot, content: content,
            minimumIdleness: minimumIdleness
        ).message
    }
}

extension RestoreRequest: WireMessage {
    package init(_ message: Message) throws {
        let request = try SnapshotRequest(message)
        self.init(
            workerUID: request.workerUID, workload: request.workload, snapshot: request.snapshot,
            content: request.content)
    }

    package var message: Message {
        SnapshotRequest(workerUID: workerUID, workload: workload, snapshot: snapshot, content: content).message
    }
}
