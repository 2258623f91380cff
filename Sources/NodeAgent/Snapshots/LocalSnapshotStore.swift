internal import ServiceKit
package import SubstrateModel

/// The snapshots of paused actors, as the agent uses them.
package protocol LocalSnapshotStore: Sendable {
    /// Where the runtime writes the snapshot and finds it. No snapshot of a template's location may lie there.
    func uri(of name: LocalSnapshotName) -> SnapshotURI

    /// Whether the URI is that of a local snapshot.
    func holds(_ uri: SnapshotURI) -> Bool

    /// Whether there is anything under the name. What is there may still turn out to be damaged.
    func contains(_ name: LocalSnapshotName) async -> Bool

    /// Notes whose snapshots those of the uid are, before the first is written.
    func noteOwner(_ actor: ActorRef, uid: String) async throws

    /// Whose snapshots those of the uid are; nil when that was never noted.
    func owner(uid: String) async -> ActorRef?

    /// The complete ones, sorted.
    var all: [LocalSnapshotName] { get async }

    /// Removes one. What cannot be removed is found again by `all`.
    func remove(_ name: LocalSnapshotName) async

    /// Removes what an agent that was killed while it wrote has left. Only before anything is written.
    func removeUnfinished() async
}

/// Those on the node's disk, whose functions block and therefore get threads of their own.
package struct LocalSnapshotsOnDisk: LocalSnapshotStore {
    private let snapshots: LocalSnapshots

    package init(_ snapshots: LocalSnapshots) { self.snapshots = snapshots }

    package func uri(of name: LocalSnapshotName) -> SnapshotURI { snapshots.uri(of: name) }

    package func holds(_ uri: SnapshotURI) -> Bool { snapshots.holds(uri) }

    package func contains(_ name: LocalSnapshotName) async -> Bool {
        await BlockingThread.result { [snapshots] in snapshots.contains(name) }
    }

    package func noteOwner(_ actor: ActorRef, uid: String) async throws {
        try await BlockingThread.result { [snapshots] in try snapshots.noteOwner(actor, uid: uid) }
    }

    package func owner(uid: String) async -> ActorRef? {
        await BlockingThread.result { [snapshots] in snapshots.owner(uid: uid) }
    }

    package var all: [LocalSnapshotName] { get async { await BlockingThread.result { [snapshots] in snapshots.all } } }

    package func remove(_ name: LocalSnapshotName) async {
        await BlockingThread.result { [snapshots] in snapshots.remove(name) }
    }

    package func removeUnfinished() async {
        await BlockingThread.result { [snapshots] in snapshots.removeUnfinished() }
    }
}
