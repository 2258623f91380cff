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

    @Test func theCgroupCountsWhateverBecomesOfTheEnvironment() {
        let mark = ProcessMark(entry: "A=1", cgroup: "substrate-x")
        let one = ProcessMark(entry: "B=1", cgroup: "node-0.1")
        let two = ProcessMark(entry: "B=2", cgroup: "node-0.2")
        let groups = Array("9:pids:/substrate-x/node-0.1\n8:cpu:/\n".utf8)
        // It is not even read.
        let inGroup = ProcessEvidence(groups: groups) {
            Issue.record("the environment was read")
            return nil
        }
        #expect(inGroup.has(mark, andOneOf: nil))
        #expect(inGroup.has(mark, andOneOf: [two, one]))
        let unreadable = ProcessEvidence(groups: groups) { nil }
        #expect(!unreadable.has(mark, andOneOf: [two]))
        let marked = ProcessEvidence(groups: nil) { Array("A=1\0B=2\0".utf8) }
        #expect(marked.has(mark, andOneOf: [one, two]))
        #expect(!marked.has(mark, andOneOf: [one]))
        #expect(ProcessEvidence(groups: groups) { Array("B=2".utf8) }.has(mark, andOneOf: [two]))
        #expect(!ProcessEvidence(groups: nil) { Array("A=11".utf8) }.has(mark, andOneOf: nil))
    }

    /// One that waits for its child to become another program stands still already, once the signal is there.
    @Test func whatCannotBeStoppedYetIsSentTheSignalAndNotWaitedFor() {
        #expect(ProcessTable.stopEffect([("D", true), ("T", false)]) == .waits)
        #expect(ProcessTable.stopEffect([("D", false)]) == .changes)
        #expect(ProcessTable.stopEffect([("D", true), ("S", false)]) == .changes)
        #expect(ProcessTable.stopEffect([("T", false), ("t", false), ("Z", false)]) == .none)
        #expect(ProcessTable.stopEffect([]) == .none)
    }

    /// A watchdog whose agent hangs looks ten times a second, for as long as that lasts.
    @Test func lookingCostsNoMemory() throws {
        for _ in 0..<20 { _ = ProcessTable.signal(SIGSTOP, mark) }
        let before = try ProcessCensus.residentBytes()
        for _ in 0..<300 { _ = ProcessTable.signal(SIGSTOP, mark) }
        #expect(try ProcessCensus.residentBytes() - before < 1 << 20)
    }
}
