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

    /// Memory of this process that is in RAM, in bytes.
    package static func residentBytes() throws -> Int {
        let status = String(decoding: FileManager.default.contents(atPath: "/proc/self/statm") ?? Data(), as: UTF8.self)
        return (status.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }
}
