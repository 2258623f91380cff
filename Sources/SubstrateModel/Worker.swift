/// A worker that its node offers: the value under `workers/live/`. Goes away with the node's lease.
package struct Presence: Sendable, Equatable {
    package var uid: String
    package var node: String
    /// The kernel's boot id of the node.
    package var bootID: String
    /// Random id of the agent's state directory.
    package var directoryID: String
    /// Where the agent serves its API, `host:port`.
    package var agentAddress: String
    /// Where the router of the machine takes requests of other machines' routers, `ip:port`; nil when all routers reach the
    /// actors themselves.
    package var routerAddress: String?
    package var labels: [String: String]
    package var sandboxClass: SandboxClass
    /// Unix time in milliseconds until which it drains; nil when it does not.
    package var drainingUntilMilliseconds: Int64?
    package var unknownFields = UnknownFields()

    package init(
        uid: String, node: String, bootID: String, directoryID: String, agentAddress: String,
        routerAddress: String? = nil, labels: [String: String] = [:], sandboxClass: SandboxClass,
        drainingUntilMilliseconds: Int64? = nil
    ) {
        self.uid = uid
        self.node = node
        self.bootID = bootID
        self.directoryID = directoryID
        self.agentAddress = agentAddress
        self.routerAddress = routerAddress
        self.labels = labels
        self.sandboxClass = sandboxClass
        self.drainingUntilMilliseconds = drainingUntilMilliseconds
    }

    package var isDraining: Bool { drainingUntilMilliseconds != nil }
}

/// The assignment of a worker to an actor: the value under `workers/bound/`. Under no lease, so that it outlives the
/// worker and tells of what is to be released.
package struct Binding: Sendable, Equatable {
    package enum Phase: Sendable, Equatable {
        /// The actor is being started.
        case claimed
        /// The actor has been seen running.
        case ready
        /// The control plane gave up waiting: the node registers the worker anew.
        case revoked
    }

    package var actor: ActorRef
    package var actorUID: String
    /// The actor's template, for listings of workers.
    package var template: TemplateRef
    /// The presence that was bound.
    package var incarnation: Incarnation
    package var phase: Phase
    /// Where the actor listens, for listings of workers; nil until it has been seen running.
    package var address: ActorAddress?
    package var unknownFields = UnknownFields()

    package init(actor: ActorRef, actorUID: String, template: TemplateRef, incarnation: Incarnation, phase: Phase) {
        self.actor = actor
        self.actorUID = actorUID
        self.template = template
        self.incarnation = incarnation
        self.phase = phase
    }

    package var isRevoked: Bool { phase == .revoked }
}

/// What kind of sandbox a worker has; a template asks for one.
package enum SandboxClass: String, Sendable, CaseIterable {
    case gvisor
    case microvm
    /// A plain process of the node.
    case process
}

/// The workflow that has an actor in hand: the value under `operations/`, under the lease of the replica that runs it.
package struct Operation: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case resume
        case suspend
        case pause
        /// Taken over from a replica that died.
        case adopt
    }

    package var kind: Kind
    /// Id of the replica.
    package var owner: String
    /// Chosen before it is sent, so that the owner can tell its own.
    package var nonce: String
    package var unknownFields = UnknownFields()

    package init(kind: Kind, owner: String, nonce: String) {
        self.kind = kind
        self.owner = owner
        self.nonce = nonce
    }
}

/// A namespace of actors.
package struct Atespace: Sendable, Equatable {
    /// The atespace that always exists, and that a bare actor id belongs to.
    package static let defaultName = "default"
    /// Where golden actors are.
    package static let golden = "ate-golden"

    package var uid: String
    package var unknownFields = UnknownFields()

    package init(uid: String) { self.uid = uid }
}
