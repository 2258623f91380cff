internal import GRPC
internal import ServiceKit
internal import SubstrateModel

/// Finds the place of each snapshot that a call names.
struct SnapshotPlaces: Sendable {
    let local: any LocalSnapshotStore

    /// Where to start from; nil for the first time.
    /// - Throws: `RuntimeFailure`, with `isSnapshotMissing` for a local snapshot that is not here.
    func source(_ snapshot: Snapshot?) async throws(RuntimeFailure) -> SnapshotURI? {
        switch snapshot {
        case nil: return nil
        case .external(let uri): return try external(uri)
        case .local(let name):
            guard await local.contains(name) else {
                var failure = RuntimeFailure(.notFound, "this node does not have the local snapshot \(name)")
                failure.isSnapshotMissing = true
                throw failure
            }
            return local.uri(of: name)
        }
    }

    /// Where to write to.
    func target(_ snapshot: Snapshot, _ actor: ActorRef, uid: String) async throws(RuntimeFailure) -> SnapshotURI {
        switch snapshot {
        case .external(let uri): return try external(uri)
        case .local(let name):
            guard name.actorUID == uid else {
                throw RuntimeFailure(.invalidArgument, "the local snapshot \(name) is not named after actor \(uid)")
            }
            do { try await local.noteOwner(actor, uid: uid) } catch {
                throw RuntimeFailure(.internal, "cannot make the directory of local snapshot \(name): \(error)")
            }
            return local.uri(of: name)
        }
    }

    func remove(_ name: LocalSnapshotName) async { await local.remove(name) }

    /// What is removed with a local snapshot must be no one's last external one.
    private func external(_ uri: SnapshotURI) throws(RuntimeFailure) -> SnapshotURI {
        guard !local.holds(uri) else {
            throw RuntimeFailure(
                .failedPrecondition,
                "the snapshot \(uri) lies where this node keeps local snapshots: the template needs another location"
            )
        }
        return uri
    }
}

extension Snapshot {
    /// The name of a local one.
    var localName: LocalSnapshotName? { if case .local(let name) = self { name } else { nil } }
}
