internal import CMessages
internal import Protobuf
internal import SubstrateAPI
package import SubstrateModel

extension Presence: StoredValue {
    package func record(after prefix: [UInt8]) -> [UInt8] {
        pack(Substrate__Store__PresenceRecord.self, after: prefix) { record, arena in
            record.uid = arena.bytes(uid)
            record.node = arena.bytes(node)
            record.boot_id = arena.bytes(bootID)
            record.directory_id = arena.bytes(directoryID)
            record.agent_address = arena.bytes(agentAddress)
            record.router_address = arena.bytes(routerAddress ?? "")
            (record.n_labels, record.labels) = arena.labels(labels)
            record.sandbox_class = sandboxClass.wire
            record.draining_until_ms = drainingUntilMilliseconds ?? 0
            arena.attach(unknownFields, to: &record.base)
        }
    }

    package init(record bytes: UnsafeRawBufferPointer) throws {
        self = try unpack(Substrate__Store__PresenceRecord.self, from: bytes) { record in
            var presence = Presence(
                uid: try record.uid.text("uid"), node: try record.node.text("node"),
                bootID: try record.boot_id.text("boot_id"),
                directoryID: try record.directory_id.text("directory_id"),
                agentAddress: try record.agent_address.text("agent_address"),
                routerAddress: try record.router_address.nonEmptyText("router_address"),
                labels: try readLabels(record.labels, count: record.n_labels, "labels"),
                sandboxClass: try SandboxClass(record.sandbox_class),
                drainingUntilMilliseconds: record.draining_until_ms == 0 ? nil : record.draining_until_ms)
            presence.unknownFields = UnknownFields(record.base)
            return presence
        }
    }
}

extension Binding: StoredValue {
    package func record(after prefix: [UInt8]) -> [UInt8] {
        pack(Substrate__Store__BindingRecord.self, after: prefix) { record, arena in
            record.atespace = arena.bytes(actor.atespace)
            record.actor = arena.bytes(actor.name)
            record.actor_uid = arena.bytes(actorUID)
            record.template_namespace = arena.bytes(template.namespace)
            record.template_name = arena.bytes(template.name)
            record.incarnation = incarnation.revision
            record.ip = arena.bytes(address?.ip ?? "")
            record.port = Int32(clamping: address?.port ?? 0)
            record.phase =
                switch phase {
                case .claimed: SUBSTRATE__STORE__BINDING_RECORD__PHASE__PHASE_CLAIMED
                case .ready: SUBSTRATE__STORE__BINDING_RECORD__PHASE__PHASE_READY
                case .revoked: SUBSTRATE__STORE__BINDING_RECORD__PHASE__PHASE_REVOKED
                }
            arena.attach(unknownFields, to: &record.base)
        }
    }

    package init(record bytes: UnsafeRawBufferPointer) throws {
        self = try unpack(Substrate__Store__BindingRecord.self, from: bytes) { record in
            let phase: Phase
            switch record.phase {
            case SUBSTRATE__STORE__BINDING_RECORD__PHASE__PHASE_CLAIMED: phase = .claimed
            case SUBSTRATE__STORE__BINDING_RECORD__PHASE__PHASE_READY: phase = .ready
            case SUBSTRATE__STORE__BINDING_RECORD__PHASE__PHASE_REVOKED: phase = .revoked
            default: throw InvalidText(field: "phase", reason: "has the unknown value \(record.phase.rawValue)")
            }
            var binding = Binding(
                actor: ActorRef(atespace: try record.atespace.text("atespace"), name: try record.actor.text("actor")),
                actorUID: try record.actor_uid.text("actor_uid"),
                template: TemplateRef(
                    namespace: try record.template_namespace.text("template_namespace"),
                    name: try record.template_name.text("template_name")),
                incarnation: Incarnation(record.incarnation), phase: phase)
            binding.address = ActorAddress(nonEmpty: try record.ip.text("ip"), record.port)
            binding.unknownFields = UnknownFields(record.base)
            return binding
        }
    }
}

extension Operation: StoredValue {
    package func record(after prefix: [UInt8]) -> [UInt8] {
        pack(Substrate__Store__OperationRecord.self, after: prefix) { record, arena in
            record.kind =
                switch kind {
                case .resume: SUBSTRATE__STORE__OPERATION_RECORD__KIND__KIND_RESUME
                case .suspend: SUBSTRATE__STORE__OPERATION_RECORD__KIND__KIND_SUSPEND
                case .pause: SUBSTRATE__STORE__OPERATION_RECORD__KIND__KIND_PAUSE
                case .adopt: SUBSTRATE__STORE__OPERATION_RECORD__KIND__KIND_ADOPT
                }
            record.owner = arena.bytes(owner)
            record.nonce = arena.bytes(nonce)
            arena.attach(unknownFields, to: &record.base)
        }
    }

    package init(record bytes: UnsafeRawBufferPointer) throws {
        self = try unpack(Substrate__Store__OperationRecord.self, from: bytes) { record in
            let kind: Kind
            switch record.kind {
            case SUBSTRATE__STORE__OPERATION_RECORD__KIND__KIND_RESUME: kind = .resume
            case SUBSTRATE__STORE__OPERATION_RECORD__KIND__KIND_SUSPEND: kind = .suspend
            case SUBSTRATE__STORE__OPERATION_RECORD__KIND__KIND_PAUSE: kind = .pause
            case SUBSTRATE__STORE__OPERATION_RECORD__KIND__KIND_ADOPT: kind = .adopt
            default: throw InvalidText(field: "kind", reason: "has the unknown value \(record.kind.rawValue)")
            }
            var operation = Operation(
                kind: kind, owner: try record.owner.text("owner"), nonce: try record.nonce.text("nonce"))
            operation.unknownFields = UnknownFields(record.base)
            return operation
        }
    }
}
