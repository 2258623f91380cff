import Foundation
import History
import SubstrateModel
import SubstrateStore
import TestKit

/// What a run has shown: the whole history, replayed, and what the actors have told.
struct SoakReport: CustomStringConvertible {
    private(set) var violations: [Violation] = []
    private(set) var revisions = 0
    private(set) var steps: [ActorStep.Kind: Int] = [:]
    private(set) var starts = 0
    private(set) var snapshots = 0
    /// Changes of state under faults that somebody had asked for.
    private(set) var operations = 0

    private static let wanted: Set<ActorStep.Kind> = [.running, .suspended, .paused, .created, .deleted]

    /// Replays the history that was recorded.
    init(
        history path: String, of cluster: SoakCluster, _ acknowledged: AcknowledgedWrites,
        underFaults: Range<Int64>
    ) throws {
        var checker = HistoryChecker(keys: cluster.store.keys)
        var claims = Claims()
        var acknowledged = acknowledged
        var reader = try HistoryFile.Reader(path: path)
        while let change = try reader.next() {
            revisions += 1
            let outcome = checker.apply(change)
            violations += outcome.violations
            for step in outcome.steps {
                steps[step.kind, default: 0] += 1
                if Self.wanted.contains(step.kind), underFaults.contains(step.revision) { operations += 1 }
                claims.take(step)
                acknowledged.happened(step)
            }
        }
        violations += checker.leftovers()
        violations += acknowledged.violations(at: checker.state.revision)
        try hear(cluster, claims)
        look(for: claims.externalSnapshots)
    }

    /// Invariant 6, and what each start has found of what was there before.
    private mutating func hear(_ cluster: SoakCluster, _ claims: Claims) throws {
        for uid in try FileManager.default.contentsOfDirectory(atPath: cluster.testimonies) {
            var testimony = Testimony(actorUID: uid, claims: claims)
            let text = FileManager.default.contents(atPath: "\(cluster.testimonies)/\(uid)") ?? Data()
            for line in String(decoding: text, as: UTF8.self).split(separator: "\n") { testimony.take(line) }
            starts += testimony.starts
            violations += testimony.violations
        }
    }

    /// Invariant 5: what was confirmed is complete. Nothing is old enough to have been removed.
    private mutating func look(for uris: [SnapshotURI]) {
        snapshots = uris.count
        for uri in uris {
            let path = uri.text.replacing("file://", with: "")
            if !FileManager.default.fileExists(atPath: "\(path)/manifest.json") {
                violations.append(Violation(.snapshots, at: 0, "\(uri) was confirmed and is not complete"))
            }
        }
    }

    var description: String {
        let counts = ActorStep.Kind.allCases.map { "\($0.rawValue) \(steps[$0] ?? 0)" }.joined(separator: ", ")
        return
            "\(revisions) revisions, \(starts) starts, \(snapshots) external snapshots, \(violations.count) violations; \(counts)"
    }
}
