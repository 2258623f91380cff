/// A set of workers of one kind, declared by an operator. Nodes offer the workers.
package struct WorkerPool: Sendable, Equatable {
    package var ref: PoolRef
    package var labels: [String: String]
    /// How many workers the operator wants.
    package var replicas: Int
    package var sandboxClass: SandboxClass
    /// What the workers run. Kept for those who start machines; not used here.
    package var ateomImage = ""
    /// Names a SandboxConfig. Kept for those who start machines; not used here.
    package var sandboxConfigName = ""
    /// Settings of Kubernetes pods as a JSON object, or empty. Kept for those who start machines; not used here.
    package var podTemplate = ""
    package var status = Status()
    package var unknownFields = UnknownFields()

    package init(ref: PoolRef, labels: [String: String] = [:], replicas: Int, sandboxClass: SandboxClass) {
        self.ref = ref
        self.labels = labels
        self.replicas = replicas
        self.sandboxClass = sandboxClass
    }

    /// What the control plane sees of it. Part of answers, never stored.
    package struct Status: Sendable, Equatable {
        /// How many workers nodes offer now.
        package var replicas: Int

        package init(replicas: Int = 0) { self.replicas = replicas }
    }
}

/// What an actor is made of. Never changes once it exists, but for its status.
package struct ActorTemplate: Sendable, Equatable {
    package var ref: TemplateRef
    package var labels: [String: String] = [:]
    package var containers: [Container]
    /// The image of the process that holds an actor's namespaces. Kept; runtimes here need none.
    package var pauseImage = ""
    package var volumes: [Volume] = []
    /// URI under which snapshots of its actors are kept.
    package var snapshotLocation: String
    /// What a pause puts into a snapshot.
    package var onPause: SnapshotContent
    /// What a suspend puts into a snapshot: at most what a pause does.
    package var onCommit: SnapshotContent
    package var sandboxClass: SandboxClass
    /// What the labels of a pool must satisfy.
    package var workerSelector: Selector
    /// The one pool whose workers will do, as older manifests have it; nil for any.
    package var workerPool: PoolRef?
    /// Whether new actors start from a snapshot that is taken of a first one.
    package var golden = false
    /// What becomes of an actor whose worker is lost.
    package var onWorkerLoss = OnWorkerLoss.revert
    /// After how long without a request an actor is suspended; nil for never.
    package var idleTimeout: Duration?
    package var sandboxRules = SandboxRules()
    package var status = Status()
    package var unknownFields = UnknownFields()

    /// - Parameter onPause: the default of the class when nil.
    package init(
        ref: TemplateRef, containers: [Container], snapshotLocation: String, onPause: SnapshotContent? = nil,
        onCommit: SnapshotContent, sandboxClass: SandboxClass, workerSelector: Selector = Selector()
    ) {
        self.ref = ref
        self.containers = containers
        self.snapshotLocation = snapshotLocation
        self.onPause = onPause ?? .default(of: sandboxClass)
        self.onCommit = onCommit
        self.sandboxClass = sandboxClass
        self.workerSelector = workerSelector
    }

    /// What operators declare of it: all but the status, which is the control plane's.
    package var declaration: ActorTemplate {
        var declaration = self
        declaration.status = Status()
        return declaration
    }
}

/// What a snapshot holds.
package enum SnapshotContent: String, Sendable, CaseIterable {
    /// Memory and durable directory.
    case full = "Full"
    /// The durable directory only.
    case data = "Data"

    /// What a template means that does not say: everything, as far as it can be saved.
    package static func `default`(of sandboxClass: SandboxClass) -> SnapshotContent {
        sandboxClass == .process ? .data : .full
    }
}

/// What becomes of an actor whose worker is lost.
package enum OnWorkerLoss: String, Sendable, CaseIterable {
    /// It is suspended at its last snapshot; the next request resumes it.
    case revert
    /// It is resumed at once.
    case resume
    /// It is suspended, and not resumed before an operator says so.
    case hold
}

/// Something that containers of an actor can mount.
package struct Volume: Sendable, Equatable {
    package enum Source: Sendable, Equatable {
        /// A directory that is part of every snapshot.
        case durableDirectory
    }

    package var name: String
    package var source: Source

    package init(name: String, source: Source) {
        self.name = name
        self.source = source
    }
}
