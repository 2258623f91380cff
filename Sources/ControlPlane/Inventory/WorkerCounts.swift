package import SubstrateModel
internal import SubstrateStore

/// What a worker is for at a moment.
package enum WorkerState: String, Sendable, CaseIterable {
    /// Takes an actor.
    case free
    /// Is being given an actor.
    case claimed
    /// Has an actor.
    case running
    /// Takes no actors any more; it may have one.
    case draining
    /// Was given up, and is to be registered anew.
    case revoked
    /// Is gone, and its actor has not been released yet.
    case lost
}

extension WorkerRow {
    package var state: WorkerState {
        if isLost { return .lost }
        switch binding?.value.phase {
        case .revoked: return .revoked
        case .claimed: return .claimed
        case .ready: return presence?.value.isDraining == true ? .draining : .running
        case nil: return presence?.value.isDraining == true ? .draining : .free
        }
    }
}

/// How many workers there are in which state.
package struct WorkerCounts: Sendable {
    private var counts: [WorkerState: Int] = [:]

    package init(_ rows: [WorkerRef: WorkerRow]) {
        for row in rows.values { counts[row.state, default: 0] += 1 }
    }

    /// All states, those without workers too.
    package var all: [(state: WorkerState, count: Int)] { WorkerState.allCases.map { ($0, counts[$0] ?? 0) } }
}
