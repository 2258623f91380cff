import GRPC
import History
import NodeAgent
import SubstrateAPI
import SubstrateModel
import SubstrateStore

/// A worker as it is called, with the mistake of a planted bug between the call and it.
struct FaultyWorker: Sendable {
    let slot: WorkerSlot
    let machine: Machine
    let bug: PlantedBug?

    static func find(_ uid: String, on machine: Machine, _ bug: PlantedBug?) throws(NodeFailure) -> FaultyWorker {
        let slots = machine.agent?.slots
        var slot = slots?.slot(uid: uid)
        if slot == nil, bug == .incarnationUnchecked {
            // It takes any registration of the worker's name for the one that is meant.
            slot = machine.world.worker(ofPresence: uid).flatMap { slots?.slot(of: $0) }
        }
        guard let slot else {
            throw NodeFailure(
                status: Status(code: .unavailable, message: "this node has no worker of uid \(uid)"), receipt: nil)
        }
        return FaultyWorker(slot: slot, machine: machine, bug: bug)
    }

    func start(_ workload: Workload, from snapshot: Snapshot?, _ fences: Fences) async throws(NodeFailure) -> Receipt {
        try await slot.start(workload, from: snapshot, tampered(fences, isQuestion: false))
    }

    func checkpoint(
        to snapshot: Snapshot, _ fences: Fences, _ minimumIdleness: Duration?
    ) async throws(NodeFailure) -> Receipt {
        try await slot.checkpoint(
            to: snapshot, tampered(fences, isQuestion: false), minimumIdleness: minimumIdleness)
    }

    func status(_ fences: Fences) async throws(NodeFailure) -> Receipt {
        if bug == .questionWithoutFence, fences.incarnation == slot.presence.incarnation {
            let sandbox = machine.sandboxes.first { $0.run.worker == slot.ref && $0.run.epoch == fences.epoch }
            return Receipt(
                epoch: fences.epoch, state: sandbox == nil ? .notRunning : .running, address: sandbox?.address)
        }
        return try await slot.status(tampered(fences, isQuestion: true))
    }

    func stop(_ fences: Fences) async throws(NodeFailure) -> Receipt {
        try await slot.stop(tampered(fences, isQuestion: true))
    }

    private func tampered(_ fences: Fences, isQuestion: Bool) -> Fences {
        var tampered = fences
        if bug == .incarnationUnchecked { tampered.incarnation = slot.presence.incarnation }
        // Numbers that no fence refuses.
        if bug == .tokenUnchecked { tampered.operation = OperationToken(Int64.max / 2 - (isQuestion ? 1 : 0)) }
        return tampered
    }
}
