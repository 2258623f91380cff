internal import Foundation

/// What this process holds, as the kernel counts it.
package struct ProcessCensus: Sendable {
    package var descriptors: Int
    package var threads: Int

    package static func now() throws -> ProcessCensus {
        ProcessCensus(
            descriptors: try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count,
            threads: try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count)
    }
}
