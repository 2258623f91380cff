package import SubstrateModel

/// The methods of `substrate.Watch`.
package enum WatchMethods {
    package static let actors = StreamRPC<WatchActorsRequest, ActorsUpdate>("/substrate.Watch/WatchActors")
    package static let workers = StreamRPC<WatchWorkersRequest, WorkersUpdate>("/substrate.Watch/WatchWorkers")
    package static let actorLogs = StreamRPC<ActorLogsRequest, LogLines>("/substrate.Watch/ActorLogs")
}

package struct WatchActorsRequest: Sendable, Equatable {
    /// Empty: all atespaces.
    package var atespace: String
    /// The revision of the last update that was seen; 0 to begin with the current state.
    package var afterRevision: Int64

    package init(atespace: String = "", afterRevision: Int64 = 0) {
        self.atespace = atespace
        self.afterRevision = afterRevision
    }
}

/// What has changed of the actors, or a part of their current state.
package struct ActorsUpdate: Sendable, Equatable {
    /// Where to go on from after this update; 0 while the current state is not complete.
    package var revision: Int64
    /// Whether what was known before is void.
    package var isReset: Bool
    package var actors: [ActorInfo]
    package var deleted: [ActorRef]

    package init(revision: Int64, isReset: Bool = false, actors: [ActorInfo] = [], deleted: [ActorRef] = []) {
        self.revision = revision
        self.isReset = isReset
        self.actors = actors
        self.deleted = deleted
    }
}

package struct WatchWorkersRequest: Sendable, Equatable {
    /// As in `WatchActorsRequest`.
    package var afterRevision: Int64

    package init(afterRevision: Int64 = 0) { self.afterRevision = afterRevision }
}

/// What has changed of the workers, or a part of their current state.
package struct WorkersUpdate: Sendable, Equatable {
    /// As in `ActorsUpdate`.
    package var revision: Int64
    package var isReset: Bool
    package var workers: [WorkerInfo]
    package var deleted: [WorkerRef]

    package init(revision: Int64, isReset: Bool = false, workers: [WorkerInfo] = [], deleted: [WorkerRef] = []) {
        self.revision = revision
        self.isReset = isReset
        self.workers = workers
        self.deleted = deleted
    }
}
