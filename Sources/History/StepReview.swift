internal import SubstrateModel
internal import SubstrateStore

/// Which line of the table of transactions a change of an actor's row was, and whether it kept to it.
extension Review {
    func step(
        of ref: ActorRef, from before: Stored<Actor>?, _ isConfirmed: HistoryChecker.Confirmed
    ) -> (ActorStep?, [Violation]) {
        guard let after = state.actors[ref] else {
            guard let before else { return (nil, []) }
            return (
                ActorStep(.deleted, ref, at: revision, from: before, to: nil), deletionViolations(ref, before.value)
            )
        }
        guard let before, before.createRevision == after.createRevision else {
            return (
                ActorStep(.created, ref, at: revision, from: nil, to: after),
                after.value.state == .suspended && before == nil
                    ? [] : [violation(.steps, "\(ref) was created \(after.value.status.rawValue)")]
            )
        }
        var review = StepReview(review: self, ref: ref, before: before.value, after: after.value)
        guard let kind = review.classify() else {
            let text = "\(ref) went from \(before.value.state) to \(after.value.state)"
            return (nil, review.violations + [violation(.steps, text)])
        }
        let step = ActorStep(
            kind, ref, at: revision, from: before, to: after, worker: review.worker, epoch: review.epoch)
        if let promoted = step.promoted, let epoch = step.epoch, !isConfirmed(promoted, epoch) {
            review.violations.append(
                violation(.snapshots, "\(ref) names \(promoted), which no node has confirmed under epoch \(epoch)"))
        }
        return (step, review.violations)
    }

    private func deletionViolations(_ ref: ActorRef, _ before: Actor) -> [Violation] {
        var violations: [Violation] = []
        if before.state != .suspended {
            violations.append(violation(.steps, "\(ref) was deleted \(before.status.rawValue)"))
        }
        if operationBefore(ref) != nil {
            violations.append(violation(.steps, "\(ref) was deleted under an operation"))
        }
        return violations
    }
}

/// One change of a row.
private struct StepReview {
    let review: Review
    let ref: ActorRef
    let before: Actor
    let after: Actor
    var violations: [Violation] = []

    init(review: Review, ref: ActorRef, before: Actor, after: Actor) {
        self.review = review
        self.ref = ref
        self.before = before
        self.after = after
    }

    var worker: WorkerRef? { (before.state.assignment ?? after.state.assignment)?.worker }
    var epoch: Epoch? {
        guard let worker else { return nil }
        return (before.state.assignment == nil ? review.state.bindings[worker] : review.bindingBefore(worker))?.epoch
    }

    private mutating func require(_ holds: Bool, _ text: @autoclosure () -> String) {
        if !holds { violations.append(review.violation(.steps, "\(ref), \(before.status.rawValue): \(text())")) }
    }

    /// The line of the table; nil when it is none.
    mutating func classify() -> ActorStep.Kind? {
        let kind = change()
        require(before.uid == after.uid, "its uid was changed")
        if kind != .suspended { require(before.lastSnapshot == after.lastSnapshot, "its last snapshot was changed") }
        if kind != .paused, kind != .running {
            require(before.localSnapshot == after.localSnapshot, "its local snapshot was changed")
        }
        return kind
    }

    private mutating func change() -> ActorStep.Kind? {
        switch (before.state, after.state) {
        case _ where before.state == after.state: return .updated
        case (.suspended, .resuming(let assignment, .suspended)), (.paused, .resuming(let assignment, .paused)):
            checkClaim(assignment)
            return .claimed
        case (.resuming(let old, _), .running(let new)):
            checkEnd(old, isBound: true)
            var started = old
            started.address = new.address
            require(started == new, "another worker is named")
            require(new.address != nil, "it runs, and nobody knows where")
            require(
                review.state.bindings[new.worker]?.value.address == new.address, "its binding has another address")
            return .running
        case (.suspending(let old, _), .running(let new)), (.pausing(let old, _), .running(let new)):
            checkEnd(old, isBound: true)
            require(old == new, "another worker is named")
            return .backToRunning
        case (.running(let old), .suspending(let new, _)):
            checkBegin(old, new)
            return .suspendBegan
        case (.running(let old), .pausing(let new, _)):
            checkBegin(old, new)
            return .pauseBegan
        case (.suspending(let old, let snapshot), .suspended) where after.lastSnapshot == snapshot:
            checkEnd(old, isBound: false)
            return .suspended
        case (.pausing(let old, let snapshot), .paused):
            checkEnd(old, isBound: false)
            require(after.localSnapshot == snapshot, "the local snapshot is not the one that was in progress")
            return .paused
        case (_, .suspended): return leave()
        case (.resuming(let old, .paused), .paused):
            checkEnd(old, isBound: false)
            return .undone
        default: return nil
        }
    }

    /// Any way to SUSPENDED without a new snapshot: by a release, or on the node's receipt.
    private mutating func leave() -> ActorStep.Kind? {
        guard let assignment = before.state.assignment else { return nil }
        let isLost =
            review.bindingBefore(assignment.worker)?.value.incarnation
            != review.state.presences[assignment.worker]?.incarnation
        let isNoted = after.lastRecovery != before.lastRecovery
        if isNoted || before.state.status == .running {
            require(isLost, "it was released from \(assignment.worker), which is not lost")
            require(review.state.bindings[assignment.worker] == nil, "it was released, and its binding has stayed")
            require(review.state.operations[ref] == nil, "it was released, and its operation has stayed")
            return .released
        }
        checkEnd(assignment, isBound: false)
        if case .resuming = before.state { return .undone }
        return .abandoned
    }

    private mutating func checkClaim(_ assignment: Assignment) {
        let worker = assignment.worker
        require(!before.isHeld, "it was claimed although it is held")
        require(review.operationBefore(ref) == nil, "it was claimed under an operation")
        require(review.state.operations[ref]?.row.createRevision == review.revision, "a claim without an operation")
        require(review.bindingBefore(worker) == nil, "\(worker) was claimed although it was bound")
        let binding = review.state.bindings[worker]
        require(binding?.createRevision == review.revision, "a claim without a binding")
        require(binding?.value.phase == .claimed, "a claim with a binding that is not new")
        let presence = review.state.presences[worker]
        require(presence?.value.uid == assignment.uid, "\(worker) was claimed and is another")
        require(assignment.address == nil, "it has an address before it runs")
        require(presence?.value.isDraining == false, "\(worker) was claimed although it drains")
        require(presence?.incarnation == binding?.value.incarnation, "another incarnation of \(worker) was bound")
    }

    private mutating func checkBegin(_ old: Assignment, _ new: Assignment) {
        require(old == new, "another worker is named")
        require(review.operationBefore(ref) == nil, "a checkpoint began under an operation")
        require(
            review.state.operations[ref]?.row.createRevision == review.revision, "a checkpoint without an operation")
        require(
            review.bindingBefore(old.worker)?.value.phase == .ready, "a checkpoint began on a binding that is not ready"
        )
    }

    /// The end of a workflow: it had the operation, which has gone, and the binding was not revoked.
    private mutating func checkEnd(_ assignment: Assignment, isBound: Bool) {
        let worker = assignment.worker
        require(review.operationBefore(ref) != nil, "a workflow without an operation has ended")
        require(review.state.operations[ref] == nil, "a workflow has ended and its operation has stayed")
        require(review.bindingBefore(worker)?.value.isRevoked == false, "a workflow has ended on a revoked binding")
        if isBound {
            require(review.state.bindings[worker]?.value.phase == .ready, "it runs on a binding that is not ready")
        } else {
            require(review.state.bindings[worker] == nil, "a workflow has ended and its binding has stayed")
        }
    }
}
