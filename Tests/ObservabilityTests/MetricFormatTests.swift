import Foundation
import Metrics
import TestKit
import Testing

/// What `/metrics` looks like.
@Suite struct MetricFormatTests {
    private let registry = MetricRegistry()

    @Test func theTextFormatIsThatOfPrometheus() {
        let calls = registry.counter(
            .counter("ate_calls_total", "Calls, \"quoted\" and \\ split\nin two", by: ["a", "b"]))
        calls.add(2, "x", "quote\" back\\slash\nline")
        let sizes = registry.histogram(.histogram("ate_sizes", "Sizes", by: ["kind"], buckets: [0.5, 2]))
        for size in [0.5, 1, 3] { sizes.observe(size, "k") }
        registry.reading(.gauge("ate_now", "What is now")) { 1.5 }
        registry.reading(.gauge("ate_nothing", "What is not")) { nil }
        _ = registry.counter(.counter("ate_zero_total", "Nothing yet"))
        #expect(
            registry.exposition == #"""
                # HELP ate_calls_total Calls, "quoted" and \\ split\nin two
                # TYPE ate_calls_total counter
                ate_calls_total{a="x",b="quote\" back\\slash\nline"} 2
                # HELP ate_nothing What is not
                # TYPE ate_nothing gauge
                # HELP ate_now What is now
                # TYPE ate_now gauge
                ate_now 1.5
                # HELP ate_sizes Sizes
                # TYPE ate_sizes histogram
                ate_sizes_bucket{kind="k",le="0.5"} 1
                ate_sizes_bucket{kind="k",le="2"} 2
                ate_sizes_bucket{kind="k",le="+Inf"} 3
                ate_sizes_sum{kind="k"} 4.5
                ate_sizes_count{kind="k"} 3
                # HELP ate_zero_total Nothing yet
                # TYPE ate_zero_total counter
                ate_zero_total 0

                """#)
    }

    @Test func aMetricHasNoMoreSeriesThanItMay() {
        let counter = registry.counter(.counter("ate_names_total", "Names", by: ["name"]))
        for name in 0..<2000 { counter.add(1, "\(name)") }
        let samples = MetricSamples(registry.exposition)
        #expect(samples.values.count == 513)
        #expect(samples["ate_names_total{name=\"other\"}"] == 1488.0)
        #expect(counter.sum == 2000)
    }

    @Test func nothingIsLostWhenManyCountAtOnce() async {
        let counter = registry.counter(.counter("ate_events_total", "Events", by: ["kind"]))
        let histogram = registry.histogram(.histogram("ate_times_seconds", "Times", buckets: Buckets.calls))
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        counter.add(1, task % 2 == 0 ? "even" : "odd")
                        histogram.observe(0.001)
                    }
                }
            }
        }
        #expect(counter.value("even") == 4000 && counter.value("odd") == 4000)
        #expect(histogram.count() == 8000)
    }

    @Test func theKernelsNumbersAreThoseOfThisProcess() throws {
        ProcessMetrics.add(to: registry)
        let before = MetricSamples(registry.exposition)
        let file = open("/dev/null", O_RDONLY)
        defer { close(file) }
        var waste = 0
        for number in 0..<5_000_000 { waste &+= number }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 64 << 20, alignment: 4096)
        memset(memory, 1, 64 << 20)
        let after = MetricSamples(registry.exposition)
        memory.deallocate()
        func grown(_ name: String) throws -> Double { try #require(after[name]) - #require(before[name]) }
        #expect(waste != 1)
        #expect(try grown("process_cpu_seconds_total") > 0)
        #expect(try grown("process_resident_memory_bytes") > Double(32 << 20))
        #expect(try grown("process_virtual_memory_bytes") > Double(32 << 20))
        #expect(try #require(after["process_open_fds"]) >= 4)
        #expect(try #require(after["process_threads"]) >= 1)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #expect(after["process_max_fds"] == Double(limit.rlim_cur))
        let age = try Date.now.timeIntervalSince1970 - #require(after["process_start_time_seconds"])
        #expect((-2...3600).contains(age))
    }
}
