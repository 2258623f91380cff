import Foundation
import Glibc
import Processes
import TestKit
import Testing

@testable import NodeAgent

/// Finding processes by an entry of their environment.
@Suite struct ProcessTableTests {
    private let marker = "ATE_TEST_MARKER=\(UUID().uuidString)"
    private var mark: ProcessMark { ProcessMark(entry: marker, cgroup: "none") }

    private func process(_ others: [String: String] = [:]) async throws -> ChildProcess {
        let parts = marker.split(separator: "=").map(String.init)
        return try await ChildProcess.start(
            Command("/bin/sleep", ["60"], environment: others.merging([parts[0]: parts[1]]) { $1 }))
    }

    /// The kernel gives an environment out in pieces of a page or so.
    @Test func anEntryOfALargeEnvironmentIsFoundWhereverItStands() async throws {
        let text = String(repeating: "x", count: 60_000)
        let child = try await process(["AAAA": text, "ZZZZ": text])
        try await eventually("it is found") {
            ProcessTable.signal(SIGKILL, mark) == 1
        }
        _ = await child.wait()
        #expect(ProcessTable.signal(SIGKILL, mark) == 0)
    }

    /// A watchdog whose agent hangs looks ten times a second, for as long as that lasts.
    @Test func lookingCostsNoMemory() throws {
        for _ in 0..<20 { _ = ProcessTable.signal(SIGSTOP, mark) }
        let before = try ProcessCensus.residentBytes()
        for _ in 0..<300 { _ = ProcessTable.signal(SIGSTOP, mark) }
        #expect(try ProcessCensus.residentBytes() - before < 1 << 20)
    }
}
