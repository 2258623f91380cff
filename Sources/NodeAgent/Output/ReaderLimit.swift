internal import GRPC
internal import SubstrateModel
internal import Synchronization

/// How many may read the output of a worker's actors at a time. Each may hold on to one output that has ended.
final class ReaderLimit: Sendable {
    /// Some people and their tools. More are served by whoever collects the agent's log, where all output is, too.
    static let perWorker = 16

    private let readers = Mutex<[WorkerRef: Int]>([:])

    /// - Throws: `RESOURCE_EXHAUSTED` when there are as many as may be.
    func counting(_ worker: WorkerRef, _ body: () async throws -> Void) async throws {
        let isAdmitted = readers.withLock { readers in
            guard readers[worker, default: 0] < Self.perWorker else { return false }
            readers[worker, default: 0] += 1
            return true
        }
        guard isAdmitted else {
            throw Status(
                code: .resourceExhausted,
                message: "\(Self.perWorker) readers follow the output on worker \(worker) already; end one of them")
        }
        defer { leave(worker) }
        try await body()
    }

    private func leave(_ worker: WorkerRef) {
        readers.withLock { readers in
            let left = readers[worker, default: 1] - 1
            readers[worker] = left > 0 ? left : nil
        }
    }

    /// How many read now, of all workers.
    var count: Int { readers.withLock { $0.values.reduce(0, +) } }
}
