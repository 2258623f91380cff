internal import Etcd
package import SubstrateModel

/// What is to be done about one lost worker.
package struct Release: Sendable, Equatable {
    package var worker: WorkerRef
    /// The binding that keeps the worker on the list, which goes.
    package var binding: Stored<Binding>
    /// The actor that the binding names, as seen; nil when there is none.
    package var actor: Stored<Actor>?
    /// What the actor becomes; nil when it does not claim the worker any more and only the binding is stale.
    package var released: Actor?

    package init(worker: WorkerRef, binding: Stored<Binding>, actor: Stored<Actor>?, released: Actor?) {
        self.worker = worker
        self.binding = binding
        self.actor = actor
        self.released = released
    }
}

extension Store {
    /// Most releases in one transaction: each takes three conditions, and up to four writes and reads, of the 128 of each
    /// kind that a server allows. The fourth is for the snapshot in progress that a released actor drops.
    package static let maximumReleases = 32

    /// Most bytes of actors' rows in one transaction; a server takes 1.5 MiB with all that is around them, of which keys and
    /// notes of 32 dropped snapshots are less than a tenth.
    package static let maximumReleaseBytes = 1 << 20

    /// The releases in parts of which each fits into a transaction.
    package func parts(of releases: [Release]) -> [[Release]] {
        var parts: [[Release]] = []
        var bytes = 0
        for release in releases {
            let size = release.released.map(Codec.size) ?? 0
            if let open = parts.last, open.count < Self.maximumReleases, bytes + size <= Self.maximumReleaseBytes {
                parts[parts.count - 1].append(release)
                bytes += size
            } else {
                parts.append([release])
                bytes = size
            }
        }
        return parts
    }

    /// What became of a batch.
    package enum ReleaseOutcome: Sendable {
        /// All are done, at this revision.
        case committed(revision: Int64)
        /// None is done: these have lost their race, the others have not. With their actors as they are now, or why they cannot be
        /// read.
        case refused(losers: [WorkerRef: Result<Stored<Actor>?, StoreError>])
    }

    /// Releases actors from lost workers, all in one transaction. Each actor may occur once.
    ///
    /// Each release holds only if the actor and the binding are as seen and the presence is not the one that was bound,
    /// so it respects whoever came first, and a worker that is there after all.
    package func release(_ batch: [Release]) async throws(StoreError) -> ReleaseOutcome {
        var conditions: [Compare] = []
        var writes: [Transaction.Operation] = []
        for release in batch {
            let ref = release.binding.value.actor
            conditions += self.conditions(release)
            if let actor = release.actor, let released = release.released {
                writes += try replace(ref, actor.value, with: released)
                writes.append(.delete(keys.operation(ref)))
            }
            writes.append(.delete(keys.bound(release.worker)))
        }
        let watched = batch.flatMap { release in
            [keys.actor(release.binding.value.actor), keys.bound(release.worker), keys.live(release.worker)]
        }
        switch try await commit(when: conditions, then: writes, otherwiseRead: watched) {
        case .applied(let revision): return .committed(revision: revision)
        case .refused(_, let pairs):
            let losers = batch.filter { release in !holds(release, in: pairs) }
            return .refused(
                losers: Dictionary(uniqueKeysWithValues: losers.map { ($0.worker, actor(of: $0, in: pairs)) }))
        }
    }

    private func actor(of release: Release, in pairs: [Key: KeyValue]) -> Result<Stored<Actor>?, StoreError> {
        guard let pair = pairs[keys.actor(release.binding.value.actor)] else { return .success(nil) }
        return Result { () throws(StoreError) in try Codec.decode(pair) }
    }

    private func conditions(_ release: Release) -> [Compare] {
        [
            keys.actor(release.binding.value.actor).modRevision == release.actor?.modRevision ?? 0,
            keys.bound(release.worker).modRevision == release.binding.modRevision,
            keys.live(release.worker).createRevision != release.binding.value.incarnation.revision,
        ]
    }

    private func holds(_ release: Release, in pairs: [Key: KeyValue]) -> Bool {
        pairs[keys.actor(release.binding.value.actor)]?.modRevision == release.actor?.modRevision
            && pairs[keys.bound(release.worker)]?.modRevision == release.binding.modRevision
            && pairs[keys.live(release.worker)]?.createRevision != release.binding.value.incarnation.revision
    }
}
