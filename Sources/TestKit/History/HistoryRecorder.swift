package import Etcd
internal import History
internal import LocalCluster
internal import Synchronization

/// Keeps the whole history of an etcd cluster as it happens, from its first revision on.
///
/// It relies on nothing: every revision of etcd has at least one event, so one that is missing is noticed, and so is a pair
/// that was not what it is said to have been before.
package final class HistoryRecorder: Sendable {
    private let etcd: any EtcdStore
    private let path: String
    private let recorded = Mutex<Int64>(1)

    /// - Parameters:
    ///   - etcd: a cluster that is written to by nobody yet.
    ///   - path: of the file to write.
    package init(_ etcd: any EtcdStore, path: String) {
        self.etcd = etcd
        self.path = path
    }

    /// The last revision that is in safety: what is older may be compacted.
    package var revision: Int64 { recorded.withLock { $0 } }

    /// Records until the task is cancelled.
    /// - Throws: `ClusterError` when it did not keep up, or something was missing.
    package func run() async throws {
        let writer = try HistoryFile.Writer(path: path)
        defer { try? writer.flush() }
        var request = WatchRequest(.prefix(Key("")), from: 2)
        request.includesPrevious = true
        var revisions: [Key: Int64] = [:]
        do {
            for try await batch in etcd.watch(request) {
                guard case .events(let events) = batch else {
                    throw ClusterError("the recorder did not keep up: revision \(revision + 1) has been compacted")
                }
                for change in Change.changes(in: events) {
                    try check(change, &revisions)
                    try writer.append(change)
                    recorded.withLock { $0 = change.revision }
                }
            }
        } catch let error as EtcdError where error.code == .cancelled {
            return
        }
    }

    private func check(_ change: Change, _ revisions: inout [Key: Int64]) throws {
        guard change.revision == revision + 1 else {
            throw ClusterError("the watch has passed over what is between \(revision) and \(change.revision)")
        }
        for event in change.events {
            // What has been compacted since is not told.
            if let previous = event.previous, previous.modRevision != revisions[event.key] {
                throw ClusterError(
                    "revision \(change.revision): \(event.key) was of \(previous.modRevision), and is known to be of \(revisions[event.key] ?? 0)"
                )
            }
            if case .put = event { revisions[event.key] = change.revision } else { revisions[event.key] = nil }
        }
    }

    /// Waits until everything is recorded that is in the cluster now.
    package func catchUp(within limit: Duration = .seconds(30)) async throws {
        let now = try await etcd.range(.key("nothing")).revision
        try await eventually("the recorder reaches revision \(now)", within: limit) { revision >= now }
    }
}
