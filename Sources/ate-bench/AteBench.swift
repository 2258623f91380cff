import Foundation
import ServiceKit

/// What things cost, on a real etcd that the benchmark starts. Machines are noisy: compare numbers of one run.
@main
enum AteBench {
    private static let benches: [(name: String, run: @Sendable () async throws -> Void)] = [
        ("etcd", EtcdBench.run), ("release", ReleaseBench.run), ("lifecycle", LifecycleBench.run),
    ]

    static func main() async {
        let wanted = Array(CommandLine.arguments.dropFirst())
        let known = benches.map(\.name)
        if let unknown = wanted.first(where: { !known.contains($0) }) {
            Program.fail("\(unknown): not one of \(known.joined(separator: ", ")); without a name all run", code: 2)
        }
        do {
            for bench in benches where wanted.isEmpty || wanted.contains(bench.name) { try await bench.run() }
        } catch {
            Program.fail("\(error)", code: 1)
        }
    }
}

/// Times of many repetitions.
struct Samples {
    private(set) var values: [Duration] = []

    mutating func add(_ duration: Duration) { values.append(duration) }
    mutating func add(_ samples: Samples) { values += samples.values }

    /// The value below which this share of them lies.
    func quantile(_ share: Double) -> Duration {
        let sorted = values.sorted()
        guard let last = sorted.indices.last else { return .zero }
        return sorted[min(last, Int(Double(sorted.count) * share))]
    }
}

/// What the process has spent, as the kernel counts it.
struct ProcessorTime {
    let seconds: Double

    static var now: ProcessorTime {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return ProcessorTime(seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime))
    }

    static func - (left: ProcessorTime, right: ProcessorTime) -> Double { left.seconds - right.seconds }
}

/// Rows of numbers under a header.
enum Report {
    static func header(_ title: String, _ columns: [String]) {
        print("\n\(title)")
        row(columns)
    }

    static func row(_ cells: [String]) {
        print(cells.map { String(repeating: " ", count: max(0, 14 - $0.count)) + $0 }.joined())
    }
}

extension Duration {
    var milliseconds: String {
        ((self / .milliseconds(1)) as Double).formatted(.number.precision(.fractionLength(3))) + " ms"
    }
}

extension Double {
    func digits(_ count: Int) -> String { formatted(.number.precision(.fractionLength(count))) }
}
