internal import Etcd
internal import GRPC
internal import Metrics
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import Synchronization

extension WorkerSlot {
    /// Writes the snapshot of the running actor and ends it, or lets it go on when that fails.
    func writeCheckpoint(
        to snapshot: Snapshot, _ content: SnapshotContent, _ epoch: Epoch, _ minimumIdleness: Duration?
    ) async -> Result<Receipt, NodeFailure> {
        // An actor that is frozen stays as it is until it is known to belong here.
        if !lease.isGood {
            log.info("a checkpoint waits until the lease is renewed", ["worker": .text(ref), "epoch": .text(epoch)])
        }
        guard await lease.waitUntilGood() else { return .failure(.interrupted(ref)) }
        guard let running = state.withLock({ $0.running }), running.epoch == epoch else {
            ended(epoch)
            return .failure(failure(RuntimeFailure(.failedPrecondition, "the actor has died"), epoch, .notRunning))
        }
        let sandbox = running.sandbox
        let time = environment.clock.stopwatch()
        do throws(RuntimeFailure) {
            let condition = minimumIdleness.map { idleness(of: epoch, atLeast: $0) }
            // Before it is stopped for nothing.
            try await condition?()
            let target = try await places.target(snapshot, running.actor, uid: running.actorUID)
            try await sandbox.checkpoint(to: target, content, if: condition)
            // The snapshot counts once the actor is known to have belonged here to its end.
            guard await lease.waitUntilGood() else { return .failure(.interrupted(ref)) }
            state.withLock { state in
                state.fence.checkpointed(epoch, snapshot)
                state.running = nil
            }
            metrics.checkpoints.observe(time.elapsed(), snapshot.kind, "ok")
            measure(target, snapshot.kind)
            log.info(
                "checkpointed an actor", ["worker": .text(ref), "epoch": .text(epoch), "snapshot": .text(snapshot)])
            return .success(Receipt(epoch: epoch, state: .checkpointed(snapshot)))
        } catch {
            metrics.checkpoints.observe(time.elapsed(), snapshot.kind, "failed")
            log.warning(
                "could not checkpoint an actor",
                ["worker": .text(ref), "epoch": .text(epoch), "reason": .string(error.reason)])
            guard await resume(sandbox, epoch) else { return .failure(.interrupted(ref)) }
            // Whoever watches it has taken no notice of an end before this.
            let hasEnded = sandbox.hasEnded
            if hasEnded {
                ended(epoch)
                await sandbox.kill()
                reconsider()
            }
            return .failure(failure(error, epoch, hasEnded ? .notRunning : .running))
        }
    }

    /// Has an actor go on that its runtime has stopped, in the middle of a checkpoint. It counts as one that runs during its
    /// checkpoint by then, so that when it is frozen again it is let go on with the others.
    func letGoOn(_ epoch: Epoch) async throws(RuntimeFailure) {
        var backoff = Backoff(from: .milliseconds(50), to: .seconds(1))
        while true {
            guard await lease.waitUntilGood() else {
                throw RuntimeFailure(.aborted, "the worker is being registered anew")
            }
            if await watchdog.resume(ActivationID(pod: ref.pod, epoch: epoch)) { return }
            do { try await environment.clock.sleep(for: backoff.pause()) } catch {
                throw RuntimeFailure(.cancelled, "the snapshot was given up")
            }
        }
    }

    /// Has an actor go on that stands still for a snapshot. False when the worker is to be registered anew before that.
    private func resume(_ sandbox: any Sandbox, _ epoch: Epoch) async -> Bool {
        var backoff = Backoff(from: .milliseconds(50), to: .seconds(1))
        while !sandbox.hasEnded {
            guard await lease.waitUntilGood() else { return false }
            let lapses = lease.lapses
            if await watchdog.resume(ActivationID(pod: ref.pod, epoch: epoch)) {
                // One that was frozen again meanwhile has not been let go on with the others: it counted as being
                // checkpointed. Once it counts as running, it is.
                let isRunning = state.withLock { state in
                    guard lease.lapses == lapses else { return false }
                    state.fence.checkpointFailed(epoch)
                    return true
                }
                if isRunning { return true }
                continue
            }
            do { try await environment.clock.sleep(for: backoff.pause()) } catch { return false }
        }
        return true
    }

    private func failure(_ error: RuntimeFailure, _ epoch: Epoch, _ state: Receipt.State) -> NodeFailure {
        NodeFailure(
            status: Status(code: error.code, message: error.reason), receipt: Receipt(epoch: epoch, state: state))
    }
}
