package import SubstrateModel
package import SubstrateStore

/// Holds the store's history against the invariants and the table of transactions of the design, revision by revision.
///
/// A pure function over what it has seen: no I/O, no clock. A change costs what it touches, however much there is.
package struct HistoryChecker: Sendable {
    /// Whether a node has confirmed that the snapshot is complete, under this claim. Asked when one is promoted.
    package typealias Confirmed = @Sendable (Snapshot, Epoch) -> Bool

    package private(set) var state: StoreState
    /// Actors in a transitional state that nobody has in hand, with the revision since which that is so. Invariant 7 allows
    /// it for seconds.
    package private(set) var unattended: [ActorRef: Int64] = [:]
    /// Bound workers whose incarnation is gone, with the revision since which that is so. Each is on its way to its release.
    package private(set) var lost: [WorkerRef: Int64] = [:]
    let isConfirmed: Confirmed

    /// What a change did.
    package struct Outcome: Sendable {
        package var violations: [Violation] = []
        package var steps: [ActorStep] = []
    }

    /// - Parameters:
    ///   - keys: of the store whose history it is. Other keys are passed over.
    ///   - isConfirmed: for invariant 5. Without one every promotion counts as confirmed.
    package init(keys: Keys, isConfirmed: @escaping Confirmed = { _, _ in true }) {
        state = StoreState(keys: keys)
        self.isConfirmed = isConfirmed
    }

    /// Takes the next change in and checks what it has touched. Changes come in the order of their revisions, none missing.
    package mutating func apply(_ change: Change) -> Outcome {
        let last = state.revision
        let difference = state.apply(change)
        let review = Review(state: state, difference: difference)
        var outcome = Outcome()
        if change.revision <= last {
            outcome.violations.append(
                Violation(.rows, at: change.revision, "the revision comes behind \(last)"))
        }
        outcome.violations += difference.unreadable.map { Violation(.rows, at: change.revision, "\($0)") }
        outcome.violations += review.disagreements() + review.sessionViolations() + review.workerViolations()
        for (ref, before) in difference.actors {
            let (step, violations) = review.step(of: ref, from: before, isConfirmed)
            outcome.violations += violations
            if let step { outcome.steps.append(step) }
        }
        for worker in review.touchedWorkers { note(worker) }
        for ref in review.touchedActors { note(ref) }
        return outcome
    }

    /// What must not be left once everything is quiet: the faults have stopped, and seconds have passed.
    package func leftovers() -> [Violation] {
        var left = lost.map { worker, since in
            Violation(.release, at: since, "\(worker) is bound to an incarnation that is gone, since then")
        }
        left += unattended.map { ref, since in
            Violation(.progress, at: since, "\(ref) is in a transitional state that nobody has in hand, since then")
        }
        left += state.operations.map { ref, operation in
            Violation(.progress, at: operation.row.modRevision, "the operation on \(ref) has not ended")
        }
        left += state.bindings.filter(\.value.value.isRevoked).map { worker, binding in
            Violation(.release, at: binding.modRevision, "the revoked binding of \(worker) is still there")
        }
        return left
    }

    private mutating func note(_ worker: WorkerRef) {
        if state.isLost(worker) {
            if lost[worker] == nil { lost[worker] = state.revision }
        } else {
            lost[worker] = nil
        }
    }

    private mutating func note(_ ref: ActorRef) {
        guard let actor = state.actors[ref]?.value.state, actor.isTransitional, state.operations[ref] == nil,
            let worker = actor.assignment?.worker, !state.isLost(worker),
            state.bindings[worker]?.value.isRevoked == false
        else {
            unattended[ref] = nil
            return
        }
        if unattended[ref] == nil { unattended[ref] = state.revision }
    }
}
