import Etcd
internal import LocalCluster
import TestKit

/// Reads and writes, with 1, 64 and 256 of them under way at a time.
enum EtcdBench {
    private static let calls = 20_000

    @Sendable static func run() async throws {
        try await TestEtcd.withServer { server in
            let client = server.client()
            let value = [UInt8](repeating: 7, count: 128)
            try await client.put("bench/key", value)
            let cases: [(String, @Sendable (Int) async throws -> Void)] = [
                ("range", { _ in _ = try await client.range(.key("bench/key")) }),
                ("put", { number in try await client.put(Key("bench/put/\(number % 1000)"), value) }),
                (
                    "txn of 3",
                    { number in
                        let base = "bench/txn/\(number % 1000)/"
                        _ = try await client.transaction(
                            Transaction().when(Key("bench/key").isPresent)
                                .then((0..<3).map { .put(Key("\(base)\($0)"), value) }))
                    }
                ),
            ]
            Report.header("etcd: \(calls) calls each", ["", "in flight", "calls/s", "p50", "p99", "CPU s/100k"])
            for (name, call) in cases {
                for inFlight in [1, 64, 256] { try await measure(name, inFlight, call) }
            }
        }
    }

    private static func measure(
        _ name: String, _ inFlight: Int, _ call: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let perTask = calls / inFlight
        let processor = ProcessorTime.now
        let start = ContinuousClock.now
        let samples = try await withThrowingTaskGroup(of: Samples.self) { group in
            for task in 0..<inFlight {
                group.addTask {
                    var samples = Samples()
                    for number in 0..<perTask {
                        let begun = ContinuousClock.now
                        try await call(task * perTask + number)
                        samples.add(.now - begun)
                    }
                    return samples
                }
            }
            return try await group.reduce(into: Samples()) { $0.add($1) }
        }
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        let spent = ProcessorTime.now - processor
        let count = Double(samples.values.count)
        Report.row([
            name, "\(inFlight)", (count / elapsed).digits(0), samples.quantile(0.5).milliseconds,
            samples.quantile(0.99).milliseconds, (spent / count * 100_000).digits(2),
        ])
    }
}
