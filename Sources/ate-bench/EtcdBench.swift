import Etcd
import Foundation
import GRPC
internal import LocalCluster
import ServiceKit
import TestKit

/// Reads and writes, with 1, 64 and 256 of them under way at a time: by this project's client, and in turn with it by the
/// yardstick of `Benchmarks/baseline.cc`.
enum EtcdBench {
    /// How often each case is measured; the medians are reported.
    private static let rounds = 5

    /// One client under test.
    private struct Contestant {
        let name: String
        let run: @Sendable (Case) async throws -> Measurement
    }

    struct Case: Sendable {
        let name: String
        let inFlight: Int
        let calls: Int
    }

    /// What one client took for one case.
    struct Measurement: Codable, Sendable {
        var calls: Int
        var seconds: Double
        var p50Microseconds: Double
        var p99Microseconds: Double
        var processorSeconds: Double
    }

    /// A line of the report.
    private struct Line: Codable {
        var operation: String
        var inFlight: Int
        var client: String
        var callsPerSecond: Double
        var p50Microseconds: Double
        var p99Microseconds: Double
        var processorSecondsPer100k: Double
        /// This client's share of what the yardstick took, nil without one.
        var processorRatio: Double?
        var p50Ratio: Double?
    }

    private static let value = [UInt8](repeating: 7, count: 128)

    static func run(_ options: BenchOptions) async throws {
        try await TestEtcd.withServer { server in
            let client = server.client()
            try await client.put("bench/key", value)
            var contestants: [Contestant] = []
            if let baseline = options.baseline {
                contestants.append(
                    Contestant(name: "C++") { try await runBaseline(baseline, $0, server.endpoint) })
            }
            contestants.append(
                Contestant(name: "ours") { test in
                    try await withTaskExecutorPreference(CallExecutor.shared) { try await measure(test, client) }
                })
            contestants.append(Contestant(name: "ours, pool") { try await measure($0, client) })
            var lines: [Line] = []
            Report.header(
                "etcd: medians of \(rounds) rounds",
                ["", "in flight", "client", "calls/s", "p50", "p99", "CPU s/100k", "CPU ratio", "p50 ratio"])
            for operation in ["range", "put", "txn"] {
                for inFlight in [1, 64, 256] {
                    let test = Case(name: operation, inFlight: inFlight, calls: inFlight == 1 ? 3_000 : 20_000)
                    let news = try await compare(contestants, test)
                    for line in news { show(line) }
                    lines += news
                }
            }
            if let path = options.jsonPath {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
                try encoder.encode(lines).write(to: URL(filePath: path))
                print("as JSON: \(path)")
            }
        }
    }

    /// The clients take turns, so that what else the machine does hits all of them.
    private static func compare(_ contestants: [Contestant], _ test: Case) async throws -> [Line] {
        var measurements: [[Measurement]] = contestants.map { _ in [] }
        for _ in 0..<rounds {
            for (index, contestant) in contestants.enumerated() {
                measurements[index].append(try await contestant.run(test))
            }
        }
        func median(_ index: Int, _ value: (Measurement) -> Double) -> Double {
            measurements[index].map(value).sorted()[rounds / 2]
        }
        func processor(_ index: Int) -> Double { median(index) { $0.processorSeconds / Double($0.calls) * 100_000 } }
        let hasBaseline = contestants.first?.name == "C++"
        return contestants.indices.map { index in
            Line(
                operation: test.name, inFlight: test.inFlight, client: contestants[index].name,
                callsPerSecond: median(index) { Double($0.calls) / $0.seconds },
                p50Microseconds: median(index) { $0.p50Microseconds },
                p99Microseconds: median(index) { $0.p99Microseconds }, processorSecondsPer100k: processor(index),
                processorRatio: hasBaseline && index > 0 ? processor(index) / processor(0) : nil,
                p50Ratio: hasBaseline && index > 0
                    ? median(index) { $0.p50Microseconds } / median(0) { $0.p50Microseconds } : nil)
        }
    }

    private static func show(_ line: Line) {
        Report.row([
            line.operation, "\(line.inFlight)", line.client, line.callsPerSecond.digits(0),
            (line.p50Microseconds / 1000).digits(3) + " ms", (line.p99Microseconds / 1000).digits(3) + " ms",
            line.processorSecondsPer100k.digits(2), line.processorRatio?.digits(2) ?? "",
            line.p50Ratio?.digits(2) ?? "",
        ])
    }

    private static func runBaseline(_ program: String, _ test: Case, _ endpoint: String) async throws -> Measurement {
        let output = try await Tool.output(
            program, [endpoint, test.name, "\(test.inFlight)", "\(test.calls)"])
        return try JSONDecoder().decode(Measurement.self, from: Data(output.utf8))
    }

    private static func measure(_ test: Case, _ client: EtcdClient) async throws -> Measurement {
        let perTask = test.calls / test.inFlight
        let processor = ProcessorTime.now
        let start = ContinuousClock.now
        let samples = try await withThrowingTaskGroup(of: Samples.self) { group in
            for task in 0..<test.inFlight {
                group.addTask {
                    var samples = Samples()
                    for number in 0..<perTask {
                        let begun = ContinuousClock.now
                        try await call(test.name, task * perTask + number, client)
                        samples.add(.now - begun)
                    }
                    return samples
                }
            }
            return try await group.reduce(into: Samples()) { $0.add($1) }
        }
        return Measurement(
            calls: samples.values.count, seconds: (ContinuousClock.now - start) / .seconds(1),
            p50Microseconds: samples.quantile(0.5) / .microseconds(1),
            p99Microseconds: samples.quantile(0.99) / .microseconds(1), processorSeconds: ProcessorTime.now - processor)
    }

    private static func call(_ operation: String, _ number: Int, _ client: EtcdClient) async throws {
        switch operation {
        case "range": _ = try await client.range(.key("bench/key"))
        case "put": try await client.put(Key("bench/put/\(number % 1000)"), value)
        default:
            let base = "bench/txn/\(number % 1000)/"
            _ = try await client.transaction(
                Transaction().when(Key("bench/key").isPresent).then((0..<3).map { .put(Key("\(base)\($0)"), value) }))
        }
    }
}
