package import ControlPlane
internal import GRPC
package import NodeAgent
package import SubstrateAPI
package import SubstrateModel
internal import Synchronization

/// Nodes in this process, called directly: the real workers with all their fences, without the network.
package final class InProcessNodes: NodeAgents {
    package typealias Call = @Sendable (String, Fences) async throws(NodeFailure) -> Void

    private let nodes = Mutex<[String: WorkerSlots]>([:])
    private let hook = Mutex<Call?>(nil)
    private let deletion = Mutex<Deletion?>(nil)
    private let served = Mutex<[String]>([])
    private let questions = Tally()

    package init() {}

    package func add(_ slots: WorkerSlots, at address: String) { nodes.withLock { $0[address] = slots } }

    /// The node is not reached any more.
    package func remove(_ address: String) { nodes.withLock { $0[address] = nil } }

    /// Called before each call with its name. What it throws is what the caller gets.
    package func beforeCall(_ call: Call?) { hook.withLock { $0 = call } }

    package func run(_ request: RunRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt {
        try await hook.withLock { $0 }?("run", fences)
        return try await slot(request.workerUID, address).start(request.workload, from: nil, fences)
    }

    package func restore(
        _ request: RestoreRequest, _ fences: Fences, at address: String
    ) async throws(NodeFailure) -> Receipt {
        try await hook.withLock { $0 }?("restore", fences)
        return try await slot(request.workerUID, address).start(request.workload, from: request.snapshot, fences)
    }

    package func checkpoint(
        _ request: CheckpointRequest, _ fences: Fences, at address: String
    ) async throws(NodeFailure) -> Receipt {
        try await hook.withLock { $0 }?("checkpoint", fences)
        return try await slot(request.workerUID, address).checkpoint(
            to: request.snapshot, fences, content: request.content ?? .data, minimumIdleness: request.minimumIdleness)
    }

    /// The uids of workers whose actors nodes have been told of as serving, in order.
    package var servedWorkers: [String] { served.withLock { $0 } }
    /// How often nodes have been asked how long their actors have been idle.
    package var activityQuestions: Int { questions.count }

    package func activity(
        _ request: ActivityRequest, at address: String
    ) async throws(NodeFailure) -> ActivityResponse {
        if !request.asked.isEmpty { questions.add() }
        let slots = try slots(address)
        served.withLock { $0 += request.served }
        do throws(RuntimeFailure) { return try await slots.activity(request) } catch {
            throw NodeFailure(status: Status(code: error.code, message: error.reason), receipt: nil)
        }
    }

    package func status(
        _ request: StatusRequest, _ fences: Fences, at address: String
    ) async throws(NodeFailure) -> Receipt {
        try await hook.withLock { $0 }?("status", fences)
        return try await slot(request.workerUID, address).status(fences)
    }

    package func stop(_ request: StopRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt
    {
        try await hook.withLock { $0 }?("stop", fences)
        return try await slot(request.workerUID, address).stop(fences)
    }

    /// What becomes of a snapshot that a node is told to remove.
    package typealias Deletion = @Sendable (SnapshotURI, _ address: String) async throws(NodeFailure) -> Void

    /// Called to remove snapshots. Without one every node says that it has done so.
    package func onDeletion(_ deletion: Deletion?) { self.deletion.withLock { $0 = deletion } }

    package func deleteSnapshot(_ request: DeleteSnapshotRequest, at address: String) async throws(NodeFailure) {
        _ = try slots(address)
        try await deletion.withLock { $0 }?(request.snapshot, address)
    }

    package func logs(
        _ request: NodeLogsRequest, _ stay: Stay, at address: String
    ) async throws(NodeFailure) -> any ActorOutputStream {
        let output = try slot(request.workerUID, address).output(stay)
        return Stream(
            reader: output.reader(tail: request.tail, afterLine: request.afterLine, follow: request.follow))
    }

    private struct Stream: ActorOutputStream {
        let reader: ActorOutput.Reader

        func next() async throws(NodeFailure) -> LogLines? { await reader.next() }
    }

    private func slots(_ address: String) throws(NodeFailure) -> WorkerSlots {
        guard let slots = nodes.withLock({ $0[address] }) else {
            throw NodeFailure(status: Status(code: .unavailable, message: "\(address) is not reached"), receipt: nil)
        }
        return slots
    }

    private func slot(_ uid: String, _ address: String) throws(NodeFailure) -> WorkerSlot {
        guard let slot = try slots(address).slot(uid: uid) else {
            throw NodeFailure(
                status: Status(code: .unavailable, message: "this node has no worker of uid \(uid)"),
                receipt: nil)
        }
        return slot
    }
}
