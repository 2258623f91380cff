import Etcd
import Foundation
import Glibc
import History
import LocalCluster
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// The real programs under load, while each kind of process is killed and stopped, nodes are drained, etcd is compacted and
/// connections are mistreated. The whole history is recorded as it happens, and what must always hold is checked at every
/// revision of it.
@Suite(.enabled(if: SoakSettings.isWanted)) struct FullSoakTests {
    private let settings = SoakSettings.current

    @Test func whateverDiesNothingIsStrandedLostOrRunTwice() async throws {
        tell("SOAK_SEED=\(settings.seed), for \(settings.duration)")
        let directory = "\(NSTemporaryDirectory())substrate-soak-\(settings.seed)-\(getpid())"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        do {
            let cluster = try await SoakCluster.start(directory: directory)
            do {
                try await soak(cluster)
            } catch {
                await uncancelled { await cluster.stop() }
                throw error
            }
            try? FileManager.default.removeItem(atPath: directory)
        } catch {
            tell("SOAK_SEED=\(settings.seed): what there is of it is in \(directory)")
            throw error
        }
    }

    private func soak(_ cluster: SoakCluster) async throws {
        let history = "\(cluster.directory)/history"
        let recorder = HistoryRecorder(cluster.etcd.client(), path: history)
        let load = SoakLoad(cluster, settings)
        let underFaults = Shared<Range<Int64>>(0..<0)
        var failure: (any Error)?
        do {
            try await record(recorder) {
                let revisions = try await self.strain(cluster, load, recorder)
                underFaults.withLock { $0 = revisions }
            }
        } catch {
            failure = error
        }
        await cluster.stop()
        // What has been recorded is told also of a run that has failed: it is what explains the failure.
        let report = try SoakReport(
            history: history, of: cluster, load.acknowledged.current, underFaults: underFaults.current)
        let perSecond = Double(report.operations) / (settings.duration / .seconds(1))
        tell("\(report)")
        tell("\(perSecond.formatted(.number.precision(.fractionLength(1)))) operations per second")
        for violation in report.violations.prefix(50) { tell("VIOLATION \(violation)") }
        if let failure { throw failure }
        if !report.violations.isEmpty {
            throw DidNotHappen(description: "a run without a violation; there are \(report.violations.count)")
        }
        #expect(perSecond >= 20, "too little got through to say anything")
        #expect(report.starts > 0, "no actor has borne witness, so nothing says that none ran twice")
    }

    /// Does the work while the recorder records. The first of the two that fails ends it.
    private func record(_ recorder: HistoryRecorder, _ work: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await recorder.run()
                return false
            }
            group.addTask {
                try await work()
                return true
            }
            while let isDone = try await group.next(), !isDone {}
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// All that happens while the recorder records.
    /// - Returns: the revisions that were made under faults.
    private func strain(
        _ cluster: SoakCluster, _ load: SoakLoad, _ recorder: HistoryRecorder
    ) async throws -> Range<Int64> {
        try await cluster.startPrograms()
        try await load.createAll()
        let first = recorder.revision
        let end = ContinuousClock.now + settings.duration
        let faults = SoakFaults(cluster: cluster, settings: settings, recorder: recorder, end: end)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await load.run(until: end) }
            group.addTask { try await faults.run() }
            try await group.waitForAll()
        }
        let last = recorder.revision
        tell("faults: \(Self.listed(faults.struck.current))")
        tell("calls: \(Self.listed(load.calls.current))")
        try await cluster.heal()
        try await cluster.waitForWorkers(within: .seconds(60))
        try await waitForQuiet(cluster)
        try await load.visitAll()
        try await waitForQuiet(cluster)
        try await recorder.catchUp()
        // In less time not everybody's turn comes.
        if settings.duration >= .seconds(60) {
            for kind in SoakFaults.kinds { #expect(faults.struck.current[kind] ?? 0 > 0, "never: \(kind)") }
        }
        return first..<last
    }

    /// At once, so that of a run that hangs it is known how far it is.
    private func tell(_ text: String) {
        print("soak: \(text)")
        fflush(nil)
    }

    private static func listed(_ counts: [String: Int]) -> String {
        counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }

    /// Every actor reaches a stable state by itself, no operation is left, and no binding to what is gone.
    private func waitForQuiet(_ cluster: SoakCluster) async throws {
        let store = cluster.store
        try await eventually("everything is stable", within: .seconds(90)) {
            guard let listing = try? await store.listWorkers(),
                let rows = try? await store.etcd.list(store.keys.actors).pairs,
                let operations = try? await store.etcd.range(RangeRequest(store.keys.operations)).pairs
            else { return false }
            let actors = try rows.map { try Codec.decode($0, as: Actor.self).value }
            return operations.isEmpty && !actors.contains { $0.state.isTransitional }
                && listing.bound.allSatisfy { listing.live[$0]?.incarnation == $1.value.incarnation }
        }
    }
}
