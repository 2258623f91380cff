package import GRPC
package import SubstrateModel

/// The methods that a node serves: `atelet.AteomHerder` and `substrate.Node`.
package enum NodeMethods {
    package static let run = RPC<RunRequest, ReceiptResponse>("/atelet.AteomHerder/Run")
    package static let restore = RPC<RestoreRequest, ReceiptResponse>("/atelet.AteomHerder/Restore")
    package static let checkpoint = RPC<CheckpointRequest, ReceiptResponse>("/atelet.AteomHerder/Checkpoint")
    package static let status = RPC<StatusRequest, StatusResponse>("/substrate.Node/Status")
    package static let stop = RPC<StopRequest, StatusResponse>("/substrate.Node/Stop")
    package static let activity = RPC<ActivityRequest, ActivityResponse>("/substrate.Node/Activity")
    package static let deleteSnapshot = RPC<DeleteSnapshotRequest, EmptyResponse>("/substrate.Node/DeleteSnapshot")
    package static let logs = StreamRPC<NodeLogsRequest, LogLines>("/substrate.Node/Logs")
}

package struct NodeLogsRequest: Sendable, Equatable {
    package var workerUID: String
    /// As in `ActorLogsRequest`.
    package var follow: Bool
    package var tail: Int?
    /// How many lines of the epoch have been seen.
    package var afterLine: Int64

    package init(workerUID: String, follow: Bool, tail: Int? = nil, afterLine: Int64 = 0) {
        self.workerUID = workerUID
        self.follow = follow
        self.tail = tail
        self.afterLine = afterLine
    }
}

/// What is to run: the actor, and what it is made of.
package struct Workload: Sendable, Equatable {
    package var actor: ActorRef
    package var actorUID: String
    package var template: TemplateRef
    package var containers: [Container]
    package var sandboxRules: SandboxRules

    package init(
        actor: ActorRef, actorUID: String, template: TemplateRef, containers: [Container],
        sandboxRules: SandboxRules = SandboxRules()
    ) {
        self.actor = actor
        self.actorUID = actorUID
        self.template = template
        self.containers = containers
        self.sandboxRules = sandboxRules
    }
}

package struct RunRequest: Sendable, Equatable {
    /// The presence's uid.
    package var workerUID: String
    package var workload: Workload

    package init(workerUID: String, workload: Workload) {
        self.workerUID = workerUID
        self.workload = workload
    }
}

package struct RestoreRequest: Sendable, Equatable {
    package var workerUID: String
    package var workload: Workload
    package var snapshot: Snapshot
    /// What the snapshot holds; nil when the caller did not say.
    package var content: SnapshotContent?

    package init(workerUID: String, workload: Workload, snapshot: Snapshot, content: SnapshotContent?) {
        self.workerUID = workerUID
        self.workload = workload
        self.snapshot = snapshot
        self.content = content
    }
}

package struct CheckpointRequest: Sendable, Equatable {
    package var workerUID: String
    package var workload: Workload
    package var snapshot: Snapshot
    package var content: SnapshotContent?
    /// How long the actor must have served nothing; nil for whatever it does.
    package var minimumIdleness: Duration?

    package init(
        workerUID: String, workload: Workload, snapshot: Snapshot, content: SnapshotContent?,
        minimumIdleness: Duration? = nil
    ) {
        self.workerUID = workerUID
        self.workload = workload
        self.snapshot = snapshot
        self.content = content
        self.minimumIdleness = minimumIdleness
    }
}

package struct StatusRequest: Sendable, Equatable {
    package var workerUID: String

    package init(workerUID: String) { self.workerUID = workerUID }
}

package struct StopRequest: Sendable, Equatable {
    package var workerUID: String

    package init(workerUID: String) { self.workerUID = workerUID }
}

/// The response of Run, Restore and Checkpoint.
package struct ReceiptResponse: Sendable, Equatable {
    package var receipt: Receipt

    package init(receipt: Receipt) { self.receipt = receipt }
}

/// The response of Status and Stop.
package struct StatusResponse: Sendable, Equatable {
    package var receipt: Receipt

    package init(receipt: Receipt) { self.receipt = receipt }
}

extension Stay {
    /// As a call's headers.
    package var metadata: Metadata { ["ate-incarnation": "\(incarnation)", "ate-epoch": "\(epoch)"] }

    /// From a call's headers; nil when one is missing or not a positive number.
    package init?(_ metadata: Metadata) {
        guard let incarnation = revision("ate-incarnation", in: metadata),
            let epoch = revision("ate-epoch", in: metadata)
        else { return nil }
        self.init(incarnation: Incarnation(incarnation), epoch: Epoch(epoch))
    }
}

extension Fences {
    /// As a call's headers.
    package var metadata: Metadata {
        var metadata = stay.metadata
        metadata.append("ate-operation", "\(operation)")
        return metadata
    }

    /// From a call's headers; nil when one is missing or not a positive number.
    package init?(_ metadata: Metadata) {
        guard let stay = Stay(metadata), let operation = revision("ate-operation", in: metadata) else { return nil }
        self.init(
            incarnation: stay.incarnation, epoch: stay.epoch, operation: OperationToken(operation))
    }
}

private func revision(_ key: String, in metadata: Metadata) -> Int64? {
    metadata[key].flatMap { Int64($0) }.flatMap { $0 > 0 && $0 < .max ? $0 : nil }
}
