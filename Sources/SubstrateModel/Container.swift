/// One process of an actor.
package struct Container: Sendable, Equatable {
    package var name: String
    /// An image pinned with `@`, `rootfs:` and a directory, or empty for the node's own files.
    package var image: String
    /// Program and arguments; not run in a shell.
    package var command: [String]
    package var environment: [Variable]
    package var readiness: Readiness?
    package var volumeMounts: [VolumeMount] = []
    package var unknownFields = UnknownFields()

    package init(
        name: String, image: String = "", command: [String], environment: [Variable] = [], readiness: Readiness? = nil
    ) {
        self.name = name
        self.image = image
        self.command = command
        self.environment = environment
        self.readiness = readiness
    }
}

extension Container {
    /// A variable of the environment. `$(NAME)` in a value is no reference.
    package struct Variable: Sendable, Equatable {
        package enum Source: Sendable, Equatable {
            case value(String)
            /// A secret of the template's namespace, which the node reads when the actor starts.
            case secret(SecretKey)
        }

        package var name: String
        package var source: Source

        package init(name: String, source: Source) {
            self.name = name
            self.source = source
        }

        package init(name: String, value: String) { self.init(name: name, source: .value(value)) }
    }

    /// Names a value of a secret.
    package struct SecretKey: Sendable, Equatable {
        package var name: String
        package var key: String
        /// Whether the actor starts without the variable when there is no such value.
        package var isOptional: Bool

        package init(name: String, key: String, isOptional: Bool = false) {
            self.name = name
            self.key = key
            self.isOptional = isOptional
        }
    }

    /// An HTTP request that is answered with 200 once the container is ready.
    package struct Readiness: Sendable, Equatable {
        /// What is asked for when nothing is said.
        package static let defaultPath = "/readyz"

        package var path: String
        package var port: Int

        package init(path: String, port: Int) {
            self.path = path
            self.port = port
        }
    }

    /// Where the container finds a volume.
    package struct VolumeMount: Sendable, Equatable {
        /// The volume's name.
        package var name: String
        package var path: String

        package init(name: String, path: String) {
            self.name = name
            self.path = path
        }
    }
}
