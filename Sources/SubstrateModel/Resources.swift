/// A set of workers of one kind, declared by an operator. Nodes offer the workers.
package struct WorkerPool: Sendable, Equatable {
    package var ref: PoolRef
    package var labels: [String: String]
    /// How many workers the operator wants.
    package var replicas: Int
    package var sandboxClass: SandboxClass
    package var unknownFields = UnknownFields()

    package init(ref: PoolRef, labels: [String: String] = [:], replicas: Int, sandboxClass: SandboxClass) {
        self.ref = ref
        self.labels = labels
        self.replicas = replicas
        self.sandboxClass = sandboxClass
    }
}

/// What an actor is made of. Never changes once it exists.
package struct ActorTemplate: Sendable, Equatable {
    package var ref: TemplateRef
    package var containers: [Container]
    /// URI under which snapshots of its actors are kept.
    package var snapshotLocation: String
    /// What a suspend puts into a snapshot.
    package var onCommit: SnapshotContent
    package var sandboxClass: SandboxClass
    /// Labels that a pool must have.
    package var workerSelector: Selector
    package var unknownFields = UnknownFields()

    package init(
        ref: TemplateRef, containers: [Container], snapshotLocation: String, onCommit: SnapshotContent,
        sandboxClass: SandboxClass, workerSelector: Selector = Selector()
    ) {
        self.ref = ref
        self.containers = containers
        self.snapshotLocation = snapshotLocation
        self.onCommit = onCommit
        self.sandboxClass = sandboxClass
        self.workerSelector = workerSelector
    }
}

/// What a snapshot holds.
package enum SnapshotContent: String, Sendable, CaseIterable {
    /// Memory and durable directory.
    case full = "Full"
    /// The durable directory only.
    case data = "Data"
}

/// One process of an actor.
package struct Container: Sendable, Equatable {
    package struct Variable: Sendable, Equatable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// An HTTP request that is answered with 200 once the container is ready.
    package struct Readiness: Sendable, Equatable {
        package var path: String
        package var port: Int

        package init(path: String, port: Int) {
            self.path = path
            self.port = port
        }
    }

    package var name: String
    package var image: String
    /// Program and arguments; not run in a shell.
    package var command: [String]
    package var environment: [Variable]
    package var readiness: Readiness?
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
