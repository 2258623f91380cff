/// What can happen to an actor.
package enum ActorEvent: Sendable, Equatable {
    /// A resume has picked a worker; the fallback when it is to start without the actor's local snapshot.
    case claimed(Assignment, fallback: Fallback? = nil)
    /// The node says that it runs there: after a resume, or when a suspend or pause has come to nothing.
    case runningConfirmed(at: ActorAddress)
    /// The node says that it does not run and never will under this claim, and why if it knows.
    case resumeUndone(because: ResumeFailure? = nil)
    /// A suspend begins; the snapshot goes here. The recovery says what is to follow when the actor has to leave its worker.
    case suspendBegan(snapshot: SnapshotURI, recovery: Recovery? = nil)
    /// The node says that this snapshot is complete and the actor stopped.
    case suspended(snapshot: SnapshotURI)
    /// A pause begins; the snapshot is to get this name.
    case pauseBegan(snapshot: LocalSnapshot)
    /// The node says that this snapshot is complete and the actor stopped.
    case paused(snapshot: LocalSnapshotName)
    /// The node says that nothing runs and no snapshot was written.
    case abandoned
    /// The worker is gone; the policy is the template's.
    case workerLost(atMilliseconds: Int64, policy: OnWorkerLoss = .revert)
    /// What was to follow the loss of its worker is not to follow: an operator lets it be resumed again, or somebody who
    /// suspends it does not want it resumed.
    case holdReleased
}

/// An event that cannot happen in the state.
package struct IllegalTransition: Error, Equatable, CustomStringConvertible {
    package let state: ActorState
    package let event: ActorEvent

    package init(state: ActorState, event: ActorEvent) {
        self.state = state
        self.event = event
    }

    package var description: String { "an actor that is \(state.status.rawValue) cannot take the event \(event)" }
}

extension Actor {
    /// The actor after the event. This is the whole table of the actor's life.
    package func transition(_ event: ActorEvent) throws(IllegalTransition) -> Actor {
        var next = self
        switch (state, event) {
        case (.suspended, .claimed(let assignment, let fallback)) where !isHeld:
            next.state = .resuming(assignment, from: .suspended)
            next.lastFallback = fallback ?? lastFallback
        case (.paused, .claimed(let assignment, let fallback)) where !isHeld:
            next.state = .resuming(assignment, from: .paused)
            next.lastFallback = fallback ?? lastFallback
        case (.suspended, .holdReleased), (.paused, .holdReleased):
            next.lastRecovery?.next = .request
        case (.resuming(let assignment, _), .runningConfirmed(let address)):
            next.state = .running(assignment.running(at: address))
            next.localSnapshot = nil
            next.lastFailure = nil
            next.lastRecovery?.next = .request
        case (.resuming(_, let rest), .resumeUndone(let failure)):
            next.state = rest.state
            next.lastFailure = failure ?? lastFailure
            next.takeBackFallback()
        case (.running(let assignment), .suspendBegan(let snapshot, let recovery)):
            next.state = .suspending(assignment, snapshot: snapshot)
            next.lastRecovery = recovery ?? lastRecovery
        case (.suspending(_, let snapshot), .suspended(let confirmed)) where snapshot == confirmed:
            next.state = .suspended
            next.lastSnapshot = confirmed
        case (.running(let assignment), .pauseBegan(let snapshot)):
            next.state = .pausing(assignment, snapshot: snapshot)
        case (.pausing(_, let snapshot), .paused(let confirmed)) where snapshot.name == confirmed:
            next.state = .paused
            next.localSnapshot = snapshot
        case (.suspending(let assignment, _), .runningConfirmed(let address)),
            (.pausing(let assignment, _), .runningConfirmed(let address)):
            next.state = .running(assignment.running(at: address))
            next.lastRecovery?.next = .request
        case (.suspending, .abandoned), (.pausing, .abandoned):
            next.state = .suspended
        case (.resuming(let assignment, _), .workerLost(let time, let policy)),
            (.running(let assignment), .workerLost(let time, let policy)),
            (.suspending(let assignment, _), .workerLost(let time, let policy)),
            (.pausing(let assignment, _), .workerLost(let time, let policy)):
            next.state = .suspended
            next.takeBackFallback()
            next.lastRecovery = Recovery(
                worker: assignment.worker, statusBefore: state.status, releasedAtMilliseconds: time,
                next: isLeavingToBeResumed ? .resume : policy.next(after: state.status))
        default:
            throw IllegalTransition(state: state, event: event)
        }
        return next
    }

    /// It is being suspended because its worker drains, and is to go on elsewhere.
    private var isLeavingToBeResumed: Bool { state.status == .suspending && lastRecovery?.next == .resume }

    /// A resume without the local snapshot has come to nothing, so the snapshot has not been given up after all.
    private mutating func takeBackFallback() {
        if localSnapshot != nil, lastFallback?.snapshot == localSnapshot { lastFallback = nil }
    }
}

extension OnWorkerLoss {
    /// What follows the loss of the worker under an actor in this status. One that was being suspended or paused was not to
    /// run any more, so it is not resumed.
    func next(after status: ActorStatus) -> Recovery.Next {
        switch self {
        case .revert: .request
        case .resume: [.suspending, .pausing].contains(status) ? .request : .resume
        case .hold: .hold
        }
    }
}
