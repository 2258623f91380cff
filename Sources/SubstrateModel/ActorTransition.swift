/// What can happen to an actor.
package enum ActorEvent: Sendable, Equatable {
    /// A resume has picked a worker.
    case claimed(Assignment)
    /// The node says that it runs: after a resume, or when a suspend has come to nothing.
    case runningConfirmed
    /// The node says that it does not run and never will under this claim.
    case resumeUndone
    /// A suspend begins; the snapshot goes here.
    case suspendBegan(snapshot: SnapshotURI)
    /// The node says that this snapshot is complete and the actor stopped.
    case suspended(snapshot: SnapshotURI)
    /// The node says that nothing runs and no snapshot was written.
    case suspendAbandoned
    /// The worker is gone.
    case workerLost(atMilliseconds: Int64)
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
        case (.suspended, .claimed(let assignment)):
            next.state = .resuming(assignment)
        case (.resuming(let assignment), .runningConfirmed):
            next.state = .running(assignment)
        case (.resuming, .resumeUndone):
            next.state = .suspended
        case (.running(let assignment), .suspendBegan(let snapshot)):
            next.state = .suspending(assignment, snapshot: snapshot)
        case (.suspending(_, let snapshot), .suspended(let confirmed)) where snapshot == confirmed:
            next.state = .suspended
            next.lastSnapshot = confirmed
        case (.suspending(let assignment, _), .runningConfirmed):
            next.state = .running(assignment)
        case (.suspending, .suspendAbandoned):
            next.state = .suspended
        case (.resuming(let assignment), .workerLost(let time)),
            (.running(let assignment), .workerLost(let time)),
            (.suspending(let assignment, _), .workerLost(let time)):
            next.state = .suspended
            next.lastRecovery = Recovery(
                worker: assignment.worker, statusBefore: state.status, releasedAtMilliseconds: time)
        default:
            throw IllegalTransition(state: state, event: event)
        }
        return next
    }
}
