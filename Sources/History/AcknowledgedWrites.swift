package import SubstrateModel
internal import SubstrateStore

/// Invariant 1 from the side of clients: what they were told is in the history.
package struct AcknowledgedWrites: Sendable {
    /// A row of an actor as a client was told of it.
    package struct Row: Sendable, Hashable {
        package var ref: ActorRef
        package var status: ActorStatus
        package var version: Int64
        package var lastSnapshot: SnapshotURI?
        /// The uid of the worker's presence.
        package var workerUID: String?

        package init(
            ref: ActorRef, status: ActorStatus, version: Int64, lastSnapshot: SnapshotURI?, workerUID: String?
        ) {
            self.ref = ref
            self.status = status
            self.version = version
            self.lastSnapshot = lastSnapshot
            self.workerUID = workerUID
        }
    }

    /// How often somebody created or deleted an actor, as far as clients know.
    private struct Count: Sendable {
        var acknowledged = 0
        /// Those whose outcome no client knows.
        var unknown = 0
        var happened = 0
    }

    private var missing: Set<Row> = []
    private var creations: [ActorRef: Count] = [:]
    private var deletions: [ActorRef: Count] = [:]

    package init() {}

    /// A client was told of this row.
    package mutating func told(_ row: Row) { missing.insert(row) }

    /// A client's creation of an actor has ended.
    /// - Parameter isKnown: false when no answer says whether it was carried out.
    package mutating func created(_ ref: ActorRef, isKnown: Bool) { Self.add(ref, isKnown, to: &creations) }

    /// A client's deletion of an actor has ended.
    package mutating func deleted(_ ref: ActorRef, isKnown: Bool) { Self.add(ref, isKnown, to: &deletions) }

    private static func add(_ ref: ActorRef, _ isKnown: Bool, to counts: inout [ActorRef: Count]) {
        if isKnown {
            counts[ref, default: Count()].acknowledged += 1
        } else {
            counts[ref, default: Count()].unknown += 1
        }
    }

    /// Finds a step of the history among what clients were told.
    package mutating func happened(_ step: ActorStep) {
        if step.kind == .created { creations[step.ref, default: Count()].happened += 1 }
        if step.kind == .deleted { deletions[step.ref, default: Count()].happened += 1 }
        guard let after = step.after else { return }
        missing.remove(
            Row(
                ref: step.ref, status: after.value.status, version: after.version,
                lastSnapshot: after.value.lastSnapshot, workerUID: after.value.state.assignment?.uid))
    }

    /// What clients were told that the whole history does not hold, and what happened more often than anybody asked.
    package func violations(at revision: Int64) -> [Violation] {
        var violations = missing.map {
            Violation(.writes, at: revision, "a client was told of \($0), which has never been")
        }
        for (verb, counts) in [("created", creations), ("deleted", deletions)] {
            for (ref, count) in counts {
                guard count.happened < count.acknowledged || count.happened > count.acknowledged + count.unknown else {
                    continue
                }
                violations.append(
                    Violation(
                        .writes, at: revision,
                        "\(ref) was \(verb) \(count.happened) times; \(count.acknowledged) were acknowledged, and of \(count.unknown) nobody knows"
                    ))
            }
        }
        return violations
    }
}
