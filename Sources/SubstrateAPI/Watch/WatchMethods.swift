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

package struct ActorLogsRequest: Sendable, Equatable {
    package var actor: ActorRef
    /// Whether to go on with what is written from now on, wherever the actor runs.
    package var follow: Bool
    /// How many of the lines that are kept come first; nil for all.
    package var tail: Int?

    package init(actor: ActorRef, follow: Bool, tail: Int? = nil) {
        self.actor = actor
        self.follow = follow
        self.tail = tail
    }
}

/// A piece of the output of an actor.
package struct LogLines: Sendable, Equatable {
    package var lines: [LogLine]

    package init(lines: [LogLine]) { self.lines = lines }
}

/// One line of the output of an actor.
package struct LogLine: Sendable, Equatable {
    package enum Source: Sendable, Equatable {
        case standardOutput
        case standardError
    }

    /// Unix time in milliseconds by the clock of the node.
    package var timeMilliseconds: Int64
    package var source: Source
    package var container: String
    /// Without the line end; not always UTF-8.
    package var text: [UInt8]
    /// Of the worker that the actor ran on.
    package var workerPod: String

    package init(timeMilliseconds: Int64, source: Source, container: String, text: [UInt8], workerPod: String) {
        self.timeMilliseconds = timeMilliseconds
        self.source = source
        self.container = container
        self.text = text
        self.workerPod = workerPod
    }
}
