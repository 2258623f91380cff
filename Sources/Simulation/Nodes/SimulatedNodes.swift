import ControlPlane
import GRPC
import NodeAgent
import SubstrateAPI
import SubstrateModel

/// The nodes as one replica calls them: over a network that loses, delays and refuses.
///
/// `@unchecked`: see `Scheduler`.
final class SimulatedNodes: NodeAgents, @unchecked Sendable {
    let process: SimulatedProcess
    unowned let world: World

    init(_ process: SimulatedProcess, _ world: World) {
        self.process = process
        self.world = world
    }

    private static let questionLimit: Duration = .seconds(2)

    func run(_ request: RunRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt {
        try await start(request.workload, from: nil, request.workerUID, fences, address)
    }

    func restore(_ request: RestoreRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt {
        try await start(request.workload, from: request.snapshot, request.workerUID, fences, address)
    }

    private func start(
        _ workload: Workload, from snapshot: Snapshot?, _ uid: String, _ fences: Fences, _ address: String
    ) async throws(NodeFailure) -> Receipt {
        try await call("start", uid, fences, address, within: world.answerLimit) {
            (worker, fences) throws(NodeFailure) in
            try await worker.start(workload, from: snapshot, fences)
        }
    }

    func checkpoint(
        _ request: CheckpointRequest, _ fences: Fences, at address: String
    ) async throws(NodeFailure) -> Receipt {
        try await call("checkpoint", request.workerUID, fences, address, within: world.answerLimit) {
            (worker, fences) throws(NodeFailure) in
            try await worker.checkpoint(to: request.snapshot, fences, request.minimumIdleness)
        }
    }

    func status(_ request: StatusRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt {
        try await call("status", request.workerUID, fences, address, within: Self.questionLimit) {
            (worker, fences) throws(NodeFailure) in
            try await worker.status(fences)
        }
    }

    func stop(_ request: StopRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt {
        try await call("stop", request.workerUID, fences, address, within: Self.questionLimit) {
            (worker, fences) throws(NodeFailure) in
            try await worker.stop(fences)
        }
    }

    func activity(_ request: ActivityRequest, at address: String) async throws(NodeFailure) -> ActivityResponse {
        try await send(to: address, within: Self.questionLimit) { machine throws(NodeFailure) in
            do throws(RuntimeFailure) {
                return try await machine.agent?.slots.activity(request) ?? ActivityResponse(workers: [])
            } catch {
                throw .silence(error.code)
            }
        }
    }

    func deleteSnapshot(_ request: DeleteSnapshotRequest, at address: String) async throws(NodeFailure) {
        _ = try await send(to: address, within: .seconds(10)) { [world] _ throws(NodeFailure) in
            world.remove(request.snapshot)
        }
    }

    func logs(
        _ request: NodeLogsRequest, _ stay: Stay, at address: String
    ) async throws(NodeFailure) -> any ActorOutputStream {
        throw .silence(.unimplemented)
    }

    private func call(
        _ name: String, _ uid: String, _ fences: Fences, _ address: String, within limit: Duration,
        _ body: @escaping @Sendable (FaultyWorker, Fences) async throws(NodeFailure) -> Receipt
    ) async throws(NodeFailure) -> Receipt {
        world.note("\(process.name): \(name) \(fences) at \(address)")
        do throws(NodeFailure) {
            let receipt = try await send(to: address, within: limit) { [world] machine throws(NodeFailure) in
                let worker = try FaultyWorker.find(uid, on: machine, world.bug)
                let receipt = try await body(worker, fences)
                if let address = receipt.address { world.addresses.told(address, receipt.epoch) }
                return receipt
            }
            world.note("\(process.name): \(name) \(fences.epoch): \(receipt.state)")
            return receipt
        } catch {
            if world.bug == .undoWithoutReceipt, error.receipt == nil, error.isSilence {
                return Receipt(epoch: fences.epoch, state: .notRunning)
            }
            world.note(
                "\(process.name): \(name) \(fences.epoch): \(error), \(error.receipt.map { "\($0.state)" } ?? "-")")
            throw error
        }
    }

    private func send<Value: Sendable>(
        to address: String, within limit: Duration,
        _ body: @escaping @Sendable (Machine) async throws(NodeFailure) -> Value
    ) async throws(NodeFailure) -> Value {
        let scheduler = process.scheduler
        let result: Result<Value, NodeFailure>? = await process.wait { [world] answer in
            let route = world.faults.route(to: .node)
            if route.isRefused {
                scheduler.after(route.request) { answer(.failure(.silence(.unavailable))) }
                return
            }
            scheduler.after(limit) { answer(.failure(.silence(.deadlineExceeded))) }
            guard let arrival = route.arrival(within: limit, &scheduler.random) else { return }
            scheduler.after(arrival) {
                // Nobody listens on a machine without an agent.
                guard let machine = world.machine(at: address), machine.isUp, let agent = machine.agent else {
                    scheduler.after(route.request) { answer(.failure(.silence(.unavailable))) }
                    return
                }
                agent.process.start {
                    let result = await Self.result { () throws(NodeFailure) in try await body(machine) }
                    if agent.process.isDead { return }
                    guard let response = route.response else { return }
                    scheduler.after(response) { answer(result) }
                }
            }
        }
        guard let result else { throw .silence(.cancelled) }
        return try result.get()
    }

    private static func result<Value>(
        _ body: () async throws(NodeFailure) -> Value
    ) async -> Result<Value, NodeFailure> {
        do throws(NodeFailure) { return .success(try await body()) } catch { return .failure(error) }
    }
}

extension NodeFailure {
    fileprivate static func silence(_ code: StatusCode) -> NodeFailure {
        NodeFailure(status: Status(code: code, message: "simulated"), receipt: nil)
    }
}
