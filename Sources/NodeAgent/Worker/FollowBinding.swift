internal import ServiceKit
package import SubstrateModel
package import SubstrateStore
internal import Synchronization

/// What becomes of a worker by what is stored about it.
extension WorkerSlot {
    /// The worker's binding as the watch shows it, as of `revision`; one that is older than what is known is nothing new.
    /// Waits for nothing: it is called for one worker after the other.
    package func take(_ binding: Stored<Binding>?, at revision: Int64) {
        let origin = state.withLock { state -> LocalSnapshotName? in
            guard revision >= state.bindingSeenAt else { return nil }
            state.binding = binding
            state.bindingSeenAt = revision
            if let known = state.fence.activity.epoch, known != binding?.epoch, revision > known.revision {
                state.fence.forget(known)
            }
            return Self.takeUselessOrigin(&state)
        }
        bindingNews.tell()
        if let origin { tasks.submit { await self.places.remove(origin) } }
        reconsider()
    }

    /// Kills an actor whose claim is gone, and has the worker registered anew when it has to be. To be called whenever
    /// something has changed that this depends on.
    func reconsider() {
        let orphan = state.withLock { state -> (any Sandbox)? in
            // Only what is newer than the proof that the actor belongs here can prove that it does not.
            guard case .running(let running) = state.fence.activity, running != state.binding?.epoch,
                state.bindingSeenAt > state.verifiedAt
            else { return nil }
            state.fence.ended(running)
            defer { state.running = nil }
            return state.running?.sandbox
        }
        if let orphan {
            log.warning("killing an actor whose claim is gone", ["worker": .text(ref)])
            orphan.terminate()
            tasks.submit { await orphan.kill() }
        }
        if let reason = state.withLock({ reasonForNewRegistration($0) }) { end(.anew, because: reason) }
    }

    /// Its binding is revoked, or is ready while nothing runs and no receipt waits.
    private func reasonForNewRegistration(_ state: State) -> String? {
        guard let binding = state.binding, binding.value.incarnation == incarnation else { return nil }
        if binding.value.isRevoked { return "its binding was revoked" }
        guard binding.value.phase == .ready else { return nil }
        // A binding that is older than what has run here since is gone; the watch has only not shown it yet.
        if state.fence.activity.epoch == binding.epoch || state.fence.burned > binding.epoch { return nil }
        return "its actor is gone"
    }

    /// The local snapshot that the running actor was started from, once the binding is ready: in the same transaction the
    /// actor's row has forgotten it.
    private static func takeUselessOrigin(_ state: inout State) -> LocalSnapshotName? {
        guard let running = state.running, let binding = state.binding, binding.epoch == running.epoch,
            binding.value.phase == .ready
        else { return nil }
        state.running?.origin = nil
        return running.origin
    }

    /// What one transaction has read after the lease, which had lapsed, was renewed: the activation that may go on, if there
    /// is one. What turns out not to belong here any more is killed, and the worker registered anew.
    func activationToThaw(_ standing: Store.Standing) -> ActivationID? {
        let (activation, reason) = state.withLock { state -> (ActivationID?, String?) in
            guard standing.presence?.incarnation == incarnation else { return (nil, "its presence is gone") }
            let binding = standing.binding.flatMap { $0.value.incarnation == incarnation ? $0 : nil }
            if binding?.value.isRevoked == true { return (nil, "its binding was revoked") }
            switch state.fence.activity {
            case .idle, .checkpointed: return (nil, nil)
            case .starting(let epoch), .running(let epoch), .checkpointing(let epoch), .stopping(let epoch):
                guard binding?.epoch == epoch else { return (nil, "the claim of its actor is gone") }
                state.verifiedAt = max(state.verifiedAt, standing.revision)
                // What stands still for a snapshot does so until that has come to an end, unless it is what writes it.
                if case .checkpointing = state.fence.activity, state.running?.sandbox.runsDuringCheckpoint != true {
                    return (nil, nil)
                }
                return (ActivationID(pod: ref.pod, epoch: epoch), nil)
            }
        }
        if let reason { end(.anew, because: "while its actor was frozen, \(reason)") }
        return activation
    }
}
