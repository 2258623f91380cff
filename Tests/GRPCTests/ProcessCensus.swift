import Foundation

/// What this process holds, as the kernel counts it.
struct ProcessCensus {
    var descriptors: Int
    var threads: Int

    static func now() throws -> ProcessCensus {
        ProcessCensus(
            descriptors: try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count,
            threads: try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count)
    }
}
