package import CMessages
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
        message.ateom_image = arena.bytes(ateomImage)
        message.sandbox_config_name = arena.bytes(sandboxConfigName)
        message.pod_template = arena.bytes(podTemplate)
        if status != Status() {
            message.status = arena.message { $0.replicas = Int32(clamping: status.replicas) }
        }
        arena.attach(unknownFields, to: &message.base)
    }

    package init(_ message: borrowing Substrate__WorkerPool) throws {
        self.init(
            ref: PoolRef(namespace: try message.namespace_.text("namespace"), name: try message.name.text("name")),
            labels: try readLabels(message.labels, count: message.n_labels, "labels"),
            replicas: Int(message.replicas), sandboxClass: try SandboxClass(message.sandbox_class))
        ateomImage = try message.ateom_image.text("ateom_image")
        sandboxConfigName = try message.sandbox_config_name.text("sandbox_config_name")
        podTemplate = try message.pod_template.text("pod_template")
        status = message.status.map { Status(replicas: Int($0.pointee.replicas)) } ?? Status()
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
