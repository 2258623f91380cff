package import SubstrateModel
package import SubstrateStore

/// What is to be done about a lost worker, given its binding and the actor that the binding names.
///
/// The actor is released if it still claims the worker: its row names the worker, and the binding names its uid. Then it
/// becomes SUSPENDED at its last good snapshot, and what follows is the template's policy. An actor that has been suspended, deleted, or claimed another worker got
/// there first: only the stale binding goes.
package func releaseActorOnDeadWorker(
    _ worker: WorkerRef, binding: Stored<Binding>, actor: Stored<Actor>?, policy: OnWorkerLoss = .revert,
    atMilliseconds time: Int64
) -> Release {
    var release = Release(worker: worker, binding: binding, actor: actor, released: nil)
    if let actor = actor?.value, actor.uid == binding.value.actorUID, actor.state.assignment?.worker == worker {
        release.released = try? actor.transition(.workerLost(atMilliseconds: time, policy: policy))
        // A row that is full to the brim has no room for the note, and is released without it.
        if let released = release.released, Codec.size(released) > Codec.maximumSize {
            release.released?.lastRecovery = nil
        }
    }
    return release
}
