import History
import SubstrateModel
import SubstrateStore

/// Invariant 1: what clients were told is in the history, and nothing was created twice.
struct Promises {
    private var writes = AcknowledgedWrites()
    private var created: Set<String> = []
    private var found: [Violation] = []

    /// A client was told of this row.
    mutating func told(_ ref: ActorRef, _ actor: Stored<Actor>) {
        let row = AcknowledgedWrites.Row(ref, actor)
        // Most are told of what has long happened.
        if !happenedRows.contains(row) { writes.told(row) }
    }

    mutating func asked(toCreate ref: ActorRef, isKnown: Bool) { writes.created(ref, isKnown: isKnown) }

    private var happenedRows: Set<AcknowledgedWrites.Row> = []

    mutating func happened(_ step: ActorStep) {
        // Golden actors nobody has asked for.
        if step.kind != .deleted, step.after?.value.isGolden != true { writes.happened(step) }
        guard let after = step.after else { return }
        happenedRows.insert(AcknowledgedWrites.Row(step.ref, after))
        // Each creation has a uid of its own, so one that comes again is the same write, applied twice.
        if step.kind == .created, !created.insert(after.value.uid).inserted {
            found.append(
                Violation(.writes, at: step.revision, "\(step.ref) was created a second time by the same request"))
        }
    }

    mutating func takeViolations() -> [Violation] {
        defer { found = [] }
        return found
    }

    func violations(at revision: Int64) -> [Violation] { writes.violations(at: revision) }
}

extension AcknowledgedWrites.Row {
    fileprivate init(_ ref: ActorRef, _ actor: Stored<Actor>) {
        self.init(
            ref: ref, status: actor.value.status, version: actor.version, lastSnapshot: actor.value.lastSnapshot,
            workerUID: actor.value.state.assignment?.uid)
    }
}
