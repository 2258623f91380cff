import GRPC
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit

/// Resume and suspend in turn, through a real ateapi and a real etcd, with nodes that answer at once over gRPC: what the
/// control plane itself costs, and whether that depends on how many workers there are.
enum LifecycleBench {
    private static let workers = [64, 1000, 10_000]
    private static let callers = [1, 16, 64]
    /// How often each case is measured; the medians are reported.
    private static let rounds = 3

    /// What one case took, per cycle.
    private struct Measurement {
        var cyclesPerSecond: Double
        var resumes: Samples
        var suspends: Samples
        var processorMilliseconds: Double
        var transactions: Double
        var reads: Double
    }

    @Sendable static func run(_ options: BenchOptions) async throws {
        let server = try Server(address: "127.0.0.1:0", credentials: .insecure, methods: InstantNode.methods)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            try await compare(agent: "127.0.0.1:\(server.port)")
            group.cancelAll()
        }
    }

    private static func compare(agent: String) async throws {
        let directory = TemporaryDirectory()
        var systems: [BenchSystem] = []
        do {
            for count in workers {
                let system = try await BenchSystem.start(
                    workers: count, agent: agent, directory: "\(directory.path)/\(count)")
                systems.append(system)
                try await eachOf(callers.max() ?? 1, atATime: 16) { number in
                    _ = try await system.fixture.createActor("actor-\(number)")
                }
            }
            try await measureAll(systems)
        } catch {
            for system in systems { await system.stop() }
            throw error
        }
        for system in systems { await system.stop() }
    }

    private static func measureAll(_ systems: [BenchSystem]) async throws {
        Report.header(
            "lifecycle: resume and suspend through ateapi, nodes answer at once; medians of \(rounds) rounds",
            [
                "callers", "workers", "cycles/s", "resume p50", "resume p99", "suspend p50", "suspend p99",
                "CPU ms/cycle", "txns/cycle", "reads/cycle", "CPU ratio", "p50 ratio",
            ])
        for count in callers {
            // The systems take turns, so that what else the machine does hits all of them.
            var measurements: [[Measurement]] = systems.map { _ in [] }
            for system in systems { _ = try await measure(system, callers: count, cycles: 4) }
            for _ in 0..<rounds {
                for (index, system) in systems.enumerated() {
                    let cycles = count == 1 ? 300 : 1500 / count
                    measurements[index].append(try await measure(system, callers: count, cycles: cycles))
                }
            }
            for index in systems.indices { show(count, index, measurements) }
        }
    }

    private static func show(_ callers: Int, _ index: Int, _ measurements: [[Measurement]]) {
        func median(_ index: Int, _ value: (Measurement) -> Double) -> Double {
            measurements[index].map(value).sorted()[rounds / 2]
        }
        func quantile(_ share: Double, _ samples: (Measurement) -> Samples) -> String {
            let values = measurements[index].map { samples($0).quantile(share) }.sorted()
            return values[rounds / 2].milliseconds
        }
        func processor(_ index: Int) -> Double { median(index) { $0.processorMilliseconds } }
        func p50(_ index: Int) -> Double { median(index) { $0.resumes.quantile(0.5) / .milliseconds(1) } }
        Report.row([
            "\(callers)", "\(workers[index])", median(index) { $0.cyclesPerSecond }.digits(0),
            quantile(0.5) { $0.resumes }, quantile(0.99) { $0.resumes }, quantile(0.5) { $0.suspends },
            quantile(0.99) { $0.suspends }, processor(index).digits(2), median(index) { $0.transactions }.digits(2),
            median(index) { $0.reads }.digits(2), (processor(index) / processor(0)).digits(2),
            (p50(index) / p50(0)).digits(2),
        ])
    }

    /// - Parameter cycles: of each caller.
    private static func measure(_ system: BenchSystem, callers: Int, cycles: Int) async throws -> Measurement {
        let before = try await EtcdMetrics.read(system.etcd)
        let processor = system.processorTime
        let start = ContinuousClock.now
        let (resumes, suspends) = try await withThrowingTaskGroup(of: (Samples, Samples).self) { group in
            for caller in 0..<callers {
                group.addTask { try await call(system, system.fixture.ref("actor-\(caller)"), cycles) }
            }
            return try await group.reduce(into: (Samples(), Samples())) {
                $0.0.add($1.0)
                $0.1.add($1.1)
            }
        }
        let elapsed: Double = (ContinuousClock.now - start) / .seconds(1)
        let spent = system.processorTime - processor
        let calls = try await EtcdMetrics.read(system.etcd) - before
        let count = Double(callers * cycles)
        return Measurement(
            cyclesPerSecond: count / elapsed, resumes: resumes, suspends: suspends,
            processorMilliseconds: spent / .milliseconds(1) / count,
            transactions: Double(calls.transactions) / count, reads: Double(calls.ranges) / count)
    }

    private static func call(_ system: BenchSystem, _ ref: ActorRef, _ cycles: Int) async throws -> (Samples, Samples) {
        var (resumes, suspends) = (Samples(), Samples())
        for _ in 0..<cycles {
            let begun = ContinuousClock.now
            _ = try await system.channel.call(
                ControlMethods.resumeActor, ResumeActorRequest(actor: ref), timeout: .seconds(30))
            let between = ContinuousClock.now
            _ = try await system.channel.call(
                ControlMethods.suspendActor, SuspendActorRequest(actor: ref), timeout: .seconds(30))
            resumes.add(between - begun)
            suspends.add(.now - between)
        }
        return (resumes, suspends)
    }
}
