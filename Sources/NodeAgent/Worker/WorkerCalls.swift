internal import GRPC
internal import ServiceKit
package import SubstrateAPI
package import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// What a worker is called for. Every call goes by the fence.
extension WorkerSlot {
    package func start(
        _ workload: Workload, from snapshot: Snapshot?, _ fences: Fences
    ) async throws(NodeFailure) -> Receipt {
        let epoch = fences.epoch
        return try await follow(fences) {
            $0.start(epoch, fences.operation)
        } act: { () throws(NodeFailure) in
            await self.verifyAndStart(workload, from: snapshot, epoch)
        }
    }

    /// - Parameters:
    ///   - content: what goes into it.
    ///   - minimumIdleness: unless the actor has served nothing for that long, it goes on running.
    package func checkpoint(
        to snapshot: Snapshot, _ fences: Fences, content: SnapshotContent = .data, minimumIdleness: Duration? = nil
    ) async throws(NodeFailure) -> Receipt {
        let epoch = fences.epoch
        return try await follow(fences) {
            $0.checkpoint(epoch, fences.operation)
        } act: { () throws(NodeFailure) in
            await self.writeCheckpoint(to: snapshot, content, epoch, minimumIdleness)
        }
    }

    package func status(_ fences: Fences) async throws(NodeFailure) -> Receipt {
        try await follow(fences) {
            $0.ask(fences.epoch, fences.operation)
        } act: { () throws(NodeFailure) in
            .success(Receipt(epoch: fences.epoch, state: .busy))
        }
    }

    package func stop(_ fences: Fences) async throws(NodeFailure) -> Receipt {
        let epoch = fences.epoch
        return try await follow(fences) {
            $0.stop(epoch, fences.operation)
        } act: { () throws(NodeFailure) in
            let sandbox = self.state.withLock { $0.running?.epoch == epoch ? $0.running?.sandbox : nil }
            await sandbox?.kill()
            self.ended(epoch)
            self.reconsider()
            return .success(Receipt(epoch: epoch, state: .notRunning))
        }
    }

    /// What the actor of a stay here has written. Asking for it moves no fence.
    package func output(_ stay: Stay) throws(NodeFailure) -> ActorOutput {
        guard stay.incarnation == incarnation else { throw .otherIncarnation(ref) }
        guard let output = state.withLock({ $0.output }), output.epoch == stay.epoch else {
            throw .noOutput(ref, stay.epoch)
        }
        return output
    }

    /// Lets the fence decide, and does what is to be done in a task of the worker's own.
    private func follow(
        _ fences: Fences, _ decide: (inout WorkerFence) -> WorkerFence.Decision,
        act: @escaping @Sendable () async throws(NodeFailure) -> Result<Receipt, NodeFailure>
    ) async throws(NodeFailure) -> Receipt {
        guard fences.incarnation == incarnation else { throw .otherIncarnation(ref) }
        let decision = state.withLock { state in state.isClosed ? nil : decide(&state.fence) }
        switch decision {
        case nil: throw .otherIncarnation(ref)
        case .stale: throw .stale(ref)
        case .occupied: throw .occupied(ref)
        case .answer(let receipt): return certain(receipt)
        case .act:
            guard let result = await tasks.perform({ () throws(NodeFailure) in try await act() }) else {
                // Closed meanwhile, or the caller has gone; what became of it has to be asked for.
                throw .interrupted(ref)
            }
            switch try result.get() {
            case .success(let receipt): return certain(receipt)
            case .failure(var failure):
                failure.receipt = failure.receipt.map(certain)
                throw failure
            }
        }
    }

    /// What can be said, and of an actor that runs also where. While the lease is in doubt one that is frozen may go on or may
    /// be killed, and neither is certain yet; that something does not run is.
    private func certain(_ receipt: Receipt) -> Receipt {
        guard receipt.state == .running else { return receipt }
        let running = state.withLock { $0.running }
        // One that has ended a moment ago is not said to run any more.
        guard lease.isGood, let running, running.epoch == receipt.epoch else {
            return Receipt(epoch: receipt.epoch, state: .busy)
        }
        return Receipt(epoch: receipt.epoch, state: .running, address: running.address)
    }
}
