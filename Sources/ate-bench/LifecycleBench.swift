import ControlPlane
internal import LocalCluster
import SubstrateModel
import SubstrateStore
import TestKit

/// Resume and suspend in turn, with nodes in this process that answer at once: what the control plane itself costs.
enum LifecycleBench {
    private static let cycles = 2000

    @Sendable static func run() async throws {
        Report.header(
            "lifecycle: \(cycles) cycles of resume and suspend each",
            ["workers", "callers", "cycles/s", "resume p50", "resume p99", "suspend p50", "CPU ms/cycle"])
        for workers in [64, 1000] {
            for callers in [1, 16, 64] { try await measure(workers: workers, callers: callers) }
        }
    }

    private static func measure(workers: Int, callers: Int) async throws {
        try await TestEtcd.withServer { server in
            let cluster = try await TestCluster(Store(etcd: server.client()))
            try await cluster.run {
                _ = try await cluster.addNode("node", workers: workers)
                for caller in 0..<callers { _ = try await cluster.fixture.createActor("actor-\(caller)") }
                let processor = ProcessorTime.now
                let start = ContinuousClock.now
                let (resumes, suspends) = try await withThrowingTaskGroup(of: (Samples, Samples).self) { group in
                    for caller in 0..<callers {
                        let ref = cluster.fixture.ref("actor-\(caller)")
                        group.addTask {
                            var (resumes, suspends) = (Samples(), Samples())
                            for _ in 0..<(cycles / callers) {
                                let begun = ContinuousClock.now
                                _ = try await cluster.control.resumeActor(ref)
                                let between = ContinuousClock.now
                                _ = try await cluster.control.suspendActor(ref)
                                resumes.add(between - begun)
                                suspends.add(.now - between)
                            }
                            return (resumes, suspends)
                        }
                    }
                    return try await group.reduce(into: (Samples(), Samples())) {
                        $0.0.add($1.0)
                        $0.1.add($1.1)
                    }
                }
                let elapsed = (ContinuousClock.now - start) / .seconds(1)
                let spent = ProcessorTime.now - processor
                let count = Double(resumes.values.count)
                Report.row([
                    "\(workers)", "\(callers)", (count / elapsed).digits(0), resumes.quantile(0.5).milliseconds,
                    resumes.quantile(0.99).milliseconds, suspends.quantile(0.5).milliseconds,
                    (spent / count * 1000).digits(2),
                ])
            }
        }
    }
}
