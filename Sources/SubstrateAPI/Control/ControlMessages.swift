package import SubstrateModel

/// An actor as clients see it.
package struct ActorInfo: Sendable, Equatable {
    package var ref: ActorRef
    /// 1 when created, one more with every change.
    package var version: Int64
    package var template: TemplateRef
    package var workerSelector: Selector
    /// Nil for a status that this build does not know.
    package var status: ActorStatus?
    package var assignment: Assignment?
    /// The last external one.
    package var lastSnapshot: SnapshotURI?
    /// One on nodes that is newer than the external one.
    package var localSnapshot: LocalSnapshotInfo?
    /// A URI, or the name of a local one.
    package var inProgressSnapshot: String?
    /// Why the last resume came to nothing.
    package var lastFailure: ResumeFailure?
    /// The last time its worker was lost.
    package var lastRecovery: Recovery?
    /// The last time it was resumed without its local snapshot.
    package var lastFallback: FallbackInfo?
    /// As that of the worker which holds it; only answers to resumes say so.
    package var routerAddress: String?

    package init(
        ref: ActorRef, version: Int64, template: TemplateRef, workerSelector: Selector, status: ActorStatus?,
        assignment: Assignment?, lastSnapshot: SnapshotURI?, localSnapshot: LocalSnapshotInfo? = nil,
        inProgressSnapshot: String?, lastFailure: ResumeFailure? = nil, lastRecovery: Recovery? = nil,
        lastFallback: FallbackInfo? = nil
    ) {
        self.lastFailure = lastFailure
        self.lastRecovery = lastRecovery
        self.lastFallback = lastFallback
        self.ref = ref
        self.version = version
        self.template = template
        self.workerSelector = workerSelector
        self.status = status
        self.assignment = assignment
        self.lastSnapshot = lastSnapshot
        self.localSnapshot = localSnapshot
        self.inProgressSnapshot = inProgressSnapshot
    }
}

/// A local snapshot as clients see it.
package struct LocalSnapshotInfo: Sendable, Equatable {
    package var prefix: String
    /// The nodes that have it.
    package var nodes: [String]

    package init(prefix: String, nodes: [String]) {
        self.prefix = prefix
        self.nodes = nodes
    }
}

/// A fallback as clients see it.
package struct FallbackInfo: Sendable, Equatable {
    package var node: String
    /// The local snapshot that was given up.
    package var prefix: String
    package var reason: String
    /// Unix time in milliseconds.
    package var atMilliseconds: Int64

    package init(node: String, prefix: String, reason: String, atMilliseconds: Int64) {
        self.node = node
        self.prefix = prefix
        self.reason = reason
        self.atMilliseconds = atMilliseconds
    }
}

/// A worker as clients see it, with the actor it holds.
package struct WorkerInfo: Sendable, Equatable {
    package var ref: WorkerRef
    package var uid: String
    package var node: String
    package var ip: String
    /// Zero with an empty `ip`.
    package var port: Int
    package var version: Int64
    package var actor: ActorRef?
    package var template: TemplateRef?
    /// Whether requests for the actor can go to where it listens; only watches say so.
    package var isActorReady: Bool
    /// Unix time in milliseconds, by the clock of its node, until which the actor of a draining worker has to be suspended;
    /// nil when the worker does not drain.
    package var drainingUntilMilliseconds: Int64?
    /// Where the router of its machine takes requests of other machines' routers, `ip:port`; nil when all routers reach the
    /// actor themselves. Only watches say so.
    package var routerAddress: String?

    package init(
        ref: WorkerRef, uid: String, node: String, ip: String, port: Int = 0, version: Int64, actor: ActorRef?,
        template: TemplateRef?, isActorReady: Bool = false, drainingUntilMilliseconds: Int64? = nil,
        routerAddress: String? = nil
    ) {
        self.routerAddress = routerAddress
        self.drainingUntilMilliseconds = drainingUntilMilliseconds
        self.ref = ref
        self.uid = uid
        self.node = node
        self.ip = ip
        self.port = port
        self.isActorReady = isActorReady
        self.version = version
        self.actor = actor
        self.template = template
    }
}

package struct GetActorRequest: Sendable, Equatable {
    package var actor: ActorRef

    package init(actor: ActorRef) { self.actor = actor }
}

package struct CreateActorRequest: Sendable, Equatable {
    package var actor: ActorRef
    package var template: TemplateRef
    package var workerSelector: Selector

    package init(actor: ActorRef, template: TemplateRef, workerSelector: Selector = Selector()) {
        self.actor = actor
        self.template = template
        self.workerSelector = workerSelector
    }
}

package struct UpdateActorRequest: Sendable, Equatable {
    package var actor: ActorRef
    package var workerSelector: Selector

    package init(actor: ActorRef, workerSelector: Selector) {
        self.actor = actor
        self.workerSelector = workerSelector
    }
}

package struct SuspendActorRequest: Sendable, Equatable {
    package var actor: ActorRef

    package init(actor: ActorRef) { self.actor = actor }
}

package struct PauseActorRequest: Sendable, Equatable {
    package var actor: ActorRef

    package init(actor: ActorRef) { self.actor = actor }
}

package struct ResumeActorRequest: Sendable, Equatable {
    package var actor: ActorRef
    package var boot: Bool

    package init(actor: ActorRef, boot: Bool = false) {
        self.actor = actor
        self.boot = boot
    }
}

package struct DeleteActorRequest: Sendable, Equatable {
    package var actor: ActorRef

    package init(actor: ActorRef) { self.actor = actor }
}

/// The response of every method that returns one actor.
package struct ActorResponse: Sendable, Equatable {
    package var actor: ActorInfo

    package init(actor: ActorInfo) { self.actor = actor }
}

/// The request of every method that asks for nothing in particular.
package struct EmptyRequest: Sendable, Equatable {
    package init() {}
}

package struct EmptyResponse: Sendable, Equatable {
    package init() {}
}

package struct ListActorsRequest: Sendable, Equatable {
    /// 0: everything that fits into one message.
    package var pageSize: Int
    package var pageToken: String
    /// Empty: all atespaces.
    package var atespace: String

    package init(pageSize: Int = 0, pageToken: String = "", atespace: String = "") {
        self.pageSize = pageSize
        self.pageToken = pageToken
        self.atespace = atespace
    }
}

package struct ListActorsResponse: Sendable, Equatable {
    package var actors: [ActorInfo]
    /// Empty on the last page.
    package var nextPageToken: String

    package init(actors: [ActorInfo], nextPageToken: String) {
        self.actors = actors
        self.nextPageToken = nextPageToken
    }
}

package struct ListWorkersResponse: Sendable, Equatable {
    package var workers: [WorkerInfo]

    package init(workers: [WorkerInfo]) { self.workers = workers }
}

/// The request of every method that names one atespace.
package struct AtespaceRequest: Sendable, Equatable {
    package var name: String

    package init(name: String) { self.name = name }
}

package struct AtespaceResponse: Sendable, Equatable {
    package var name: String

    package init(name: String) { self.name = name }
}

package struct ListAtespacesResponse: Sendable, Equatable {
    package var names: [String]

    package init(names: [String]) { self.names = names }
}
