internal import CMessages
internal import Protobuf
internal import SubstrateModel

extension Container {
    func fill(_ message: inout Substrate__TemplateContainer, _ arena: Arena) {
        message.name = arena.bytes(name)
        message.image = arena.bytes(image)
        (message.n_command, message.command) = arena.repeated(command)
        (message.n_env, message.env) = arena.repeated(environment) { $0.fill(&$1, arena) }
        if let readiness {
            message.readyz = arena.message { probe in
                probe.path = arena.bytes(readiness.path)
                probe.port = Int32(clamping: readiness.port)
            }
        }
        (message.n_volume_mounts, message.volume_mounts) = arena.repeated(volumeMounts) { mount, entry in
            entry.name = arena.bytes(mount.name)
            entry.mount_path = arena.bytes(mount.path)
        }
        arena.attach(unknownFields, to: &message.base)
    }

    init(_ message: borrowing Substrate__TemplateContainer) throws {
        self.init(
            name: try message.name.text("container name"), image: try message.image.text("container image"),
            command: try texts(message.command, count: message.n_command, "container command"),
            environment: try map(message.env, count: message.n_env) { try Variable($0) },
            readiness: try message.readyz.map { probe in
                let path = try probe.pointee.path.text("readyz path")
                return Readiness(path: path.isEmpty ? Readiness.defaultPath : path, port: Int(probe.pointee.port))
            })
        volumeMounts = try map(message.volume_mounts, count: message.n_volume_mounts) { entry in
            VolumeMount(name: try entry.name.text("mount name"), path: try entry.mount_path.text("mount_path"))
        }
        unknownFields = UnknownFields(message.base)
    }
}

extension Container.Variable {
    fileprivate func fill(_ message: inout Substrate__EnvironmentVariable, _ arena: Arena) {
        message.name = arena.bytes(name)
        switch source {
        case .value(let value):
            message.source_case = SUBSTRATE__ENVIRONMENT_VARIABLE__SOURCE_VALUE
            message.value = arena.bytes(value)
        case .secret(let secret):
            message.source_case = SUBSTRATE__ENVIRONMENT_VARIABLE__SOURCE_SECRET_KEY_REF
            message.secret_key_ref = arena.message { secret.fill(&$0, arena) }
        }
    }

    fileprivate init(_ message: borrowing Substrate__EnvironmentVariable) throws {
        let name = try message.name.text("env name")
        switch message.source_case {
        case SUBSTRATE__ENVIRONMENT_VARIABLE__SOURCE_SECRET_KEY_REF:
            self.init(name: name, source: .secret(try Container.SecretKey(message.secret_key_ref.pointee)))
        case SUBSTRATE__ENVIRONMENT_VARIABLE__SOURCE_VALUE:
            self.init(name: name, value: try message.value.text("env value"))
        // Left out on the wire where it is empty.
        default: self.init(name: name, value: "")
        }
    }
}

extension Container.SecretKey {
    func fill(_ message: inout Substrate__SecretKeySelector, _ arena: Arena) {
        message.name = arena.bytes(name)
        message.key = arena.bytes(key)
        message.optional = isOptional ? 1 : 0
    }

    init(_ message: borrowing Substrate__SecretKeySelector) throws {
        self.init(
            name: try message.name.text("secret name"), key: try message.key.text("secret key"),
            isOptional: message.optional != 0)
    }
}
