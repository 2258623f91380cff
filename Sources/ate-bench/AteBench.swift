import Foundation
import ServiceKit

/// What things cost, on a real etcd that the benchmark starts. Machines are noisy: compare numbers of one run.
@main
enum AteBench {
    private static let benches: [(name: String, help: String, run: @Sendable (BenchOptions) async throws -> Void)] = [
        ("etcd", "Reads and writes of the etcd client, beside a client in C++.", EtcdBench.run),
        ("release", "From the loss of workers to the release of their actors.", { _ in try await ReleaseBench.run() }),
        ("lifecycle", "Resumes and suspends through ateapi, with 64 to 10,000 workers.", LifecycleBench.run),
        ("scale", "10,000, 100,000 and a million actors in one etcd.", ScaleBench.run),
        (
            "router", "What atenet adds to a request for an actor that runs, beside the same nginx alone.",
            RouterBench.run
        ),
        ("activation", "From a request to a suspended actor's answer, with gVisor; needs root.", ActivationBench.run),
    ]

    static func main() async {
        var options = BenchOptions()
        var wanted: [String] = []
        var arguments = CommandLine.arguments.dropFirst()
        while let argument = arguments.popFirst() {
            switch argument {
            case "--help", "-h": return print(help)
            case "--json": options.jsonPath = value(of: argument, &arguments)
            case "--baseline": options.baseline = value(of: argument, &arguments)
            default:
                guard benches.contains(where: { $0.name == argument }) else {
                    Program.fail("\(argument): unknown; --help lists what there is", code: 2)
                }
                wanted.append(argument)
            }
        }
        do {
            for bench in benches where wanted.isEmpty || wanted.contains(bench.name) { try await bench.run(options) }
        } catch {
            Program.fail("\(error)", code: 1)
        }
    }

    private static func value(of flag: String, _ arguments: inout ArraySlice<String>) -> String {
        arguments.popFirst() ?? { Program.fail("\(flag) needs a path", code: 2) }()
    }

    private static var help: String {
        """
        usage: ate-bench [--baseline PROGRAM] [--json FILE] [BENCH ...]

        What things cost, on an etcd that it starts itself. Without a name all of them run:

        \(benches.map { "  \($0.name)\(String(repeating: " ", count: max(1, 12 - $0.name.count)))\($0.help)" }.joined(separator: "\n"))

          --baseline PROGRAM  the built Benchmarks/baseline.cc, to compare with; make bench builds it
          --json FILE         where to write the numbers of etcd
        """
    }
}

/// What the command line asks for.
struct BenchOptions: Sendable {
    var baseline: String?
    var jsonPath: String?
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
