internal import GRPC
internal import ServiceKit
package import SubstrateModel

/// Finds the place of each snapshot that a call names, and keeps the local ones.
package protocol SnapshotPlaces: Sendable {
    /// Where to start from; nil for the first time.
    /// - Throws: `RuntimeFailure`, with `isSnapshotMissing` for a local snapshot that is not here.
    func source(_ snapshot: Snapshot?) async throws(RuntimeFailure) -> SnapshotURI?

    /// Where to write to.
    func target(_ snapshot: Snapshot, _ actor: ActorRef, uid: String) async throws(RuntimeFailure) -> SnapshotURI

    /// The complete local ones.
    func localSnapshots() async -> [LocalSnapshotName]

    /// Whose local snapshots those of the uid are; nil when that was never noted.
    func owner(uid: String) async -> ActorRef?

    /// Removes a local one.
    func remove(_ name: LocalSnapshotName) async
}

/// Snapshots on disks.
package struct DiskSnapshotPlaces: SnapshotPlaces {
    private let local: LocalSnapshots

    package init(local: LocalSnapshots) { self.local = local }

    package func source(_ snapshot: Snapshot?) async throws(RuntimeFailure) -> SnapshotURI? {
        switch snapshot {
        case nil: return nil
        case .external(let uri): return try external(uri)
        case .local(let name):
            let isHere = await BlockingThread.result { [local] in local.contains(name) }
            guard isHere else {
                var failure = RuntimeFailure(.notFound, "this node does not have the local snapshot \(name)")
                failure.isSnapshotMissing = true
                throw failure
            }
            return local.uri(of: name)
        }
    }

    package func target(
        _ snapshot: Snapshot, _ actor: ActorRef, uid: String
    ) async throws(RuntimeFailure) -> SnapshotURI {
        switch snapshot {
        case .external(let uri): return try external(uri)
        case .local(let name):
            guard name.actorUID == uid else {
                throw RuntimeFailure(.invalidArgument, "the local snapshot \(name) is not named after actor \(uid)")
            }
            return try await BlockingThread.result { [local] () throws(RuntimeFailure) in
                do { try local.noteOwner(actor, uid: uid) } catch {
                    throw RuntimeFailure(.internal, "cannot make the directory of local snapshot \(name): \(error)")
                }
                return local.uri(of: name)
            }
        }
    }

    package func localSnapshots() async -> [LocalSnapshotName] {
        await BlockingThread.result { [local] in local.all }
    }

    package func owner(uid: String) async -> ActorRef? {
        await BlockingThread.result { [local] in local.owner(uid: uid) }
    }

    package func remove(_ name: LocalSnapshotName) async {
        await BlockingThread.result { [local] in local.remove(name) }
    }

    /// What is removed with a local snapshot must be no one's last external one.
    private func external(_ uri: SnapshotURI) throws(RuntimeFailure) -> SnapshotURI {
        guard !local.holds(uri) else {
            throw RuntimeFailure(
                .failedPrecondition,
                "the snapshot \(uri) lies below \(local.root), which is for local snapshots: the template needs another location"
            )
        }
        return uri
    }
}

extension Snapshot {
    /// The name of a local one.
    var localName: LocalSnapshotName? { if case .local(let name) = self { name } else { nil } }
}
