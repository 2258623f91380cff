package import SubstrateModel

package struct ActorLogsRequest: Sendable, Equatable {
    package var actor: ActorRef
    /// Whether to go on with what is written from now on, wherever the actor runs.
    package var follow: Bool
    /// How many of the lines that are kept come first; nil for all.
    package var tail: Int?
    /// Where an earlier stream has ended; nil to begin with.
    package var after: LogPosition?

    package init(actor: ActorRef, follow: Bool, tail: Int? = nil, after: LogPosition? = nil) {
        self.actor = actor
        self.follow = follow
        self.tail = tail
        self.after = after
    }
}

/// A place in the output of an actor.
package struct LogPosition: Sendable, Equatable {
    /// The actor's stay on a worker. They are revisions of etcd: one at which the actor ran nowhere stands for what came
    /// before it.
    package var epoch: Epoch
    /// How many lines of that stay are over.
    package var line: Int64

    package init(epoch: Epoch, line: Int64) {
        self.epoch = epoch
        self.line = line
    }
}

/// A piece of the output of an actor.
package struct LogLines: Sendable, Equatable {
    package var lines: [LogLine]
    /// Where to go on from after this.
    package var position: LogPosition

    package init(lines: [LogLine], position: LogPosition) {
        self.lines = lines
        self.position = position
    }
}

/// One line of the output of an actor.
package struct LogLine: Sendable, Equatable {
    package enum Source: Sendable, Equatable {
        case standardOutput
        case standardError
        /// Not the actor's: a remark that something is missing here.
        case notice
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
