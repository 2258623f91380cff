internal import Etcd
internal import GRPC
internal import Metrics
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

extension WorkerSlot {
    /// Starts an actor for a claim that stands, and watches it.
    func verifyAndStart(
        _ workload: Workload, from snapshot: Snapshot?, _ epoch: Epoch
    ) async -> Result<Receipt, NodeFailure> {
        let output = ActorOutput(epoch: epoch, workerPod: ref.pod, wallClock: environment.wallClock)
        var taken: ActorAddress?
        let time = environment.clock.stopwatch()
        let source = snapshot?.kind ?? "nothing"
        do throws(RuntimeFailure) {
            let revision = try await verify(epoch)
            state.withLock { state in
                state.output = output
                state.verifiedAt = max(state.verifiedAt, revision)
            }
            let address = try addresses.take(for: ref.pod, environment.clock)
            taken = address
            let activation = Activation(
                pod: ref.pod, epoch: epoch, workload: workload, address: address,
                snapshot: try await places.source(snapshot), output: output,
                permit: { () throws(RuntimeFailure) in try await self.permit() },
                resume: { () throws(RuntimeFailure) in try await self.letGoOn(epoch) })
            let sandbox = try await runtime.start(activation)
            let isOurs = state.withLock { state in
                guard !state.isClosed else { return false }
                state.fence.started(epoch)
                state.running = Running(
                    epoch: epoch, address: address, sandbox: sandbox, actor: workload.actor,
                    actorUID: workload.actorUID,
                    origin: snapshot?.localName)
                return true
            }
            guard isOurs else {
                await sandbox.kill()
                throw RuntimeFailure(.aborted, "the worker is being registered anew")
            }
            tasks.submit { await self.watch(sandbox, epoch) }
            log.info(
                "started an actor",
                [
                    "actor": .text(workload.actor), "worker": .text(ref), "epoch": .text(epoch),
                    "address": .text(address),
                ])
            metrics.starts.observe(time.elapsed(), source, "ok")
            reconsider()
            return .success(Receipt(epoch: epoch, state: .running))
        } catch {
            if let taken { addresses.giveBack(taken, of: ref.pod) }
            output.end()
            metrics.starts.observe(time.elapsed(), source, "failed")
            log.warning(
                "could not start an actor",
                ["actor": .text(workload.actor), "worker": .text(ref), "reason": .string(error.reason)])
            var reason = error.reason
            // Before the epoch is said to have ended: until then nothing else is started here.
            if error.mayLieInWorker, let fault = await withdrawUnlessFit() {
                reason += "; the worker is withdrawn, since nothing can be started on it: \(fault)"
            }
            ended(epoch)
            return .failure(
                NodeFailure(
                    status: Status(code: error.code, message: reason),
                    receipt: Receipt(epoch: epoch, state: error.isSnapshotMissing ? .noSnapshot : .notRunning)))
        }
    }

    /// Makes sure that the claim stands: the lease is good, and a linearizable read shows the binding with this epoch, for
    /// this incarnation, not revoked. Returns the revision up to which that is known.
    private func verify(_ epoch: Epoch) async throws(RuntimeFailure) -> Int64 {
        guard lease.isGood else { throw RuntimeFailure(.unavailable, "the node's lease is not good") }
        let binding: Stored<Binding>?
        do {
            binding = try await store.binding(of: ref)
        } catch {
            throw RuntimeFailure(.unavailable, "cannot verify the claim: \(error)")
        }
        guard let binding, binding.epoch == epoch, binding.value.incarnation == incarnation, !binding.value.isRevoked
        else {
            throw RuntimeFailure(.aborted, "the claim of worker \(ref) does not stand any more")
        }
        return binding.modRevision
    }

    /// Asked right before an actor runs. What came before, as unpacking a snapshot, may have taken longer than the lease.
    private func permit() async throws(RuntimeFailure) {
        guard await lease.waitUntilGood(), !state.withLock({ $0.isClosed }) else {
            throw RuntimeFailure(.aborted, "the worker is being registered anew")
        }
    }

    /// Notes the end of an actor that dies by itself.
    private func watch(_ sandbox: any Sandbox, _ epoch: Epoch) async {
        guard let reason = await sandbox.waitForEnd() else { return }
        // Ends that were brought about are noted by whoever did it, when all of the actor is gone.
        let isNews = state.withLock { state in
            guard state.fence.activity == .running(epoch) else { return false }
            state.fence.ended(epoch)
            state.running = nil
            return true
        }
        guard isNews else { return }
        metrics.deaths.add()
        log.warning("an actor died", ["worker": .text(ref), "epoch": .text(epoch), "reason": .string(reason)])
        await sandbox.kill()
        reconsider()
    }
}
