package import SubstrateModel
package import SubstrateStore

/// What one revision did to one actor: a line of the table of transactions.
package struct ActorStep: Sendable, Equatable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case created = "create actor"
        case deleted = "delete actor"
        case updated = "update actor"
        case claimed = "claim"
        case running = "running"
        case undone = "undo resume"
        case suspendBegan = "begin suspend"
        case pauseBegan = "begin pause"
        case suspended = "suspended"
        case paused = "paused"
        case backToRunning = "back to running"
        case abandoned = "abandon suspend or pause"
        case released = "release"
    }

    package var kind: Kind
    package var ref: ActorRef
    package var revision: Int64
    package var before: Stored<Actor>?
    package var after: Stored<Actor>?
    /// The worker that held the actor before or holds it now, and its claim; nil where there is none.
    package var worker: WorkerRef?
    package var epoch: Epoch?

    package init(
        _ kind: Kind, _ ref: ActorRef, at revision: Int64, from before: Stored<Actor>?, to after: Stored<Actor>?,
        worker: WorkerRef? = nil, epoch: Epoch? = nil
    ) {
        self.kind = kind
        self.ref = ref
        self.revision = revision
        self.before = before
        self.after = after
        self.worker = worker
        self.epoch = epoch
    }

    /// The snapshot that became the actor's newest with this step.
    package var promoted: Snapshot? {
        switch kind {
        case .suspended: after?.value.lastSnapshot.map { .external($0) }
        case .paused: after?.value.localSnapshot.map { .local($0.name) }
        default: nil
        }
    }
}
