package import SubstrateModel

/// Which calls a worker may follow, and what it says about an epoch: the rules that keep an actor from running twice
/// although messages come late, twice, or from a workflow that has been given up.
///
/// - **Tokens**: a call to act needs a token that is not older than the fence, and moves the fence there. A question moves
///   the fence *past* its token: the workflow that is asked about can act no more. Whatever is below the fence is ignored.
/// - **Epochs** are burned by starting, by stopping, and by saying "not running": none at or below the burned one is ever
///   started again.
package struct WorkerFence: Sendable, Equatable {
    /// What the worker does. All but `idle` belong to one epoch.
    package enum Activity: Sendable, Equatable {
        case idle
        case starting(Epoch)
        case running(Epoch)
        case checkpointing(Epoch)
        case stopping(Epoch)
        /// The receipt of a checkpoint, kept until the binding goes.
        case checkpointed(Epoch, Snapshot)

        var epoch: Epoch? {
            switch self {
            case .idle: nil
            case .starting(let epoch), .running(let epoch), .checkpointing(let epoch), .stopping(let epoch),
                .checkpointed(let epoch, _):
                epoch
            }
        }
    }

    /// What to do about a call.
    package enum Decision: Sendable, Equatable {
        /// Do what it asks.
        case act
        /// Answer with this and do nothing.
        case answer(Receipt)
        /// From a workflow that has been given up: ignore it. Being refused so says nothing about the epoch.
        case stale
        /// The worker does something under another epoch.
        case occupied
    }

    package private(set) var activity = Activity.idle
    /// The lowest token that may act.
    private var fence: Int64 = 0
    /// None at or below this is ever started again.
    package private(set) var burned = Epoch(0)

    package init() {}

    /// A call to start the actor. After `.act` the activity is `starting`.
    package mutating func start(_ epoch: Epoch, _ token: OperationToken) -> Decision {
        guard token.revision >= fence else { return .stale }
        fence = token.revision
        switch activity {
        case .idle, .checkpointed:
            guard epoch > burned else { return .answer(state(of: epoch)) }
            burned = epoch
            activity = .starting(epoch)
            return .act
        case .starting, .running, .checkpointing, .stopping:
            return activity.epoch == epoch || epoch <= burned ? .answer(state(of: epoch)) : .occupied
        }
    }

    /// A call to checkpoint the actor. After `.act` the activity is `checkpointing`.
    package mutating func checkpoint(_ epoch: Epoch, _ token: OperationToken) -> Decision {
        guard token.revision >= fence else { return .stale }
        fence = token.revision
        if activity == .running(epoch) {
            activity = .checkpointing(epoch)
            return .act
        }
        return .answer(state(of: epoch))
    }

    /// A question what became of the epoch.
    package mutating func ask(_ epoch: Epoch, _ token: OperationToken) -> Decision {
        guard token.revision + 1 >= fence else { return .stale }
        fence = max(fence, token.revision + 1)
        return .answer(state(of: epoch))
    }

    /// A call to stop the actor, which moves the fence past its token. `.act` when it runs: kill it, then say `ended`. When the
    /// fence is there already, because it was asked about or has come before, it does nothing and is answered like a question.
    package mutating func stop(_ epoch: Epoch, _ token: OperationToken) -> Decision {
        guard token.revision + 1 >= fence else { return .stale }
        let mayAct = token.revision >= fence
        fence = max(fence, token.revision + 1)
        guard mayAct, activity == .running(epoch) else { return .answer(state(of: epoch)) }
        activity = .stopping(epoch)
        return .act
    }

    /// The start that was begun has succeeded.
    package mutating func started(_ epoch: Epoch) { if activity == .starting(epoch) { activity = .running(epoch) } }

    /// The checkpoint that was begun is complete, and the actor stopped.
    package mutating func checkpointed(_ epoch: Epoch, _ snapshot: Snapshot) {
        if activity == .checkpointing(epoch) { activity = .checkpointed(epoch, snapshot) }
    }

    /// The checkpoint that was begun has failed, and the actor goes on. If it has died, say `ended`.
    package mutating func checkpointFailed(_ epoch: Epoch) {
        if activity == .checkpointing(epoch) { activity = .running(epoch) }
    }

    /// Nothing runs under the epoch any more: it has failed to start, was stopped, or has died.
    package mutating func ended(_ epoch: Epoch) {
        if activity.epoch == epoch, !isCheckpointed { activity = .idle }
        burned = max(burned, epoch)
    }

    /// The binding of the epoch is gone, and with it the need for its receipt.
    package mutating func forget(_ epoch: Epoch) {
        if isCheckpointed, activity.epoch == epoch { activity = .idle }
    }

    /// What is true of the epoch now. Saying that it does not run burns it.
    private mutating func state(of epoch: Epoch) -> Receipt {
        if activity.epoch == epoch {
            switch activity {
            case .starting, .checkpointing, .stopping: return Receipt(epoch: epoch, state: .busy)
            case .running: return Receipt(epoch: epoch, state: .running)
            case .checkpointed(_, let snapshot): return Receipt(epoch: epoch, state: .checkpointed(snapshot))
            case .idle: break
            }
        }
        burned = max(burned, epoch)
        return Receipt(epoch: epoch, state: .notRunning)
    }

    private var isCheckpointed: Bool { if case .checkpointed = activity { true } else { false } }
}
