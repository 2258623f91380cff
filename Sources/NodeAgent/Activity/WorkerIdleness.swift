internal import Etcd
internal import GRPC
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// How long a worker's actor has been idle.
extension WorkerSlot {
    /// The actor has been asked to serve, or is about to be.
    func noteServed() { state.withLock { $0.running?.idle.served() } }

    var servedNotes: Int { state.withLock { $0.running?.idle.notes ?? 0 } }

    func connectedAddresses() async throws(RuntimeFailure) -> Set<ActorAddress> {
        try await runtime.connectedAddresses()
    }

    /// How long the actor has been idle, after a look at all connections; nil when none runs.
    /// - Parameter notesBefore: `servedNotes` from before the look.
    func activity(_ connected: Set<ActorAddress>, notesBefore: Int) -> WorkerActivity? {
        let now = environment.clock.stopwatch()
        return state.withLock { state in
            guard let running = state.running,
                let idleness = state.running?.idle.looked(
                    isConnected: connected.contains(running.address), notesBefore: notesBefore, now: now)
            else { return nil }
            return WorkerActivity(workerUID: presence.value.uid, epoch: running.epoch, idleness: idleness)
        }
    }

    /// Holds while the actor has served nothing for that long.
    func idleness(of epoch: Epoch, atLeast minimum: Duration) -> CheckpointCondition {
        { () throws(RuntimeFailure) in
            let notes = self.servedNotes
            let activity = self.activity(try await self.connectedAddresses(), notesBefore: notes)
            guard let activity, activity.epoch == epoch, activity.idleness >= minimum else {
                throw RuntimeFailure(.failedPrecondition, "the actor is not idle any more")
            }
        }
    }
}
