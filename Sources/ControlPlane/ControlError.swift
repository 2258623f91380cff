internal import Etcd
package import SubstrateAPI
package import SubstrateModel
package import SubstrateStore

/// Why the control plane did not do what it was asked.
package enum ControlError: Error, Sendable {
    case actorNotFound(ActorRef)
    case templateNotFound(TemplateRef)
    /// No pool has the template's sandbox class and all the labels.
    case noEligiblePool
    /// Every worker that would do is taken, draining or gone.
    case noFreeWorkers(WorkerDemand)
    /// The atespace has as many actors as it may, in words.
    case quotaExceeded(String)
    /// It is held since its worker was lost.
    case isHeld(ActorRef)
    /// The resume that was waited for has come to nothing.
    case failed(ResumeFailure)
    /// It cannot be paused: it does not run.
    case isSuspended(ActorRef)
    /// It cannot be suspended: it does not run.
    case isPaused(ActorRef)
    /// It writes nothing: it does not run.
    case isNotRunning(ActorRef, ActorStatus)
    /// The node of the actor's worker does not give its output.
    case noOutput(ActorRef, WorkerRef, NodeFailure)
    /// Another workflow has the actor in hand.
    case operationInProgress
    /// Somebody else changed the actor first.
    case conflict
    /// The worker went away under the workflow; the actor is released.
    case workerLost(WorkerRef)
    /// The node says why it could not start or checkpoint the actor.
    case node(NodeFailure)
    /// The actor died while it was being suspended or paused.
    case diedWhileSuspending
    /// The node gave no final answer within the limit; the worker is being given up.
    case noAnswer(WorkerRef)
    /// This replica cannot work just now.
    case unavailable(String)
    /// A stored value is unusable, or a rule was broken.
    case store(StoreError)
}

extension ControlError {
    init(_ error: StoreError) {
        switch error {
        case .conflict: self = .conflict
        case .sessionLost: self = .unavailable("this replica has lost its lease in etcd")
        case .etcd(let failure) where failure.isRetriable || failure.code == .cancelled:
            self = .unavailable("\(failure)")
        default: self = .store(error)
        }
    }
}
