package import Etcd
package import SubstrateModel

/// Presences and bindings as of one revision.
package struct WorkerListing: Sendable {
    package var revision: Int64
    package var live: [WorkerRef: Stored<Presence>] = [:]
    package var bound: [WorkerRef: Stored<Binding>] = [:]
    /// Rows that are there but cannot be read.
    package var unreadable: [StoreError] = []

    /// Sorts what was listed.
    package init(_ listing: Listing, _ keys: Keys) {
        revision = listing.revision
        for pair in listing.pairs {
            do throws(StoreError) {
                switch keys.worker(pair.key) {
                case .live(let ref): live[ref] = try Codec.decode(pair)
                case .bound(let ref): bound[ref] = try Codec.decode(pair)
                case nil: break
                }
            } catch {
                unreadable.append(error)
            }
        }
    }
}

extension Store {
    /// All workers, live or bound, as of one revision.
    /// - Parameter revision: nil for the latest.
    /// - Throws: `.etcd` with code `.compacted` when a revision that is given is gone.
    package func listWorkers(at revision: Int64? = nil) async throws(StoreError) -> WorkerListing {
        do throws(EtcdError) {
            return WorkerListing(try await etcd.list(keys.workers, at: revision), keys)
        } catch {
            throw StoreError(error)
        }
    }

    /// The binding of a worker, or nil. One linearizable read.
    package func binding(of worker: WorkerRef) async throws(StoreError) -> Stored<Binding>? {
        try await read(keys.bound(worker))
    }

    /// The presence of a worker, or nil. One linearizable read.
    package func presence(of worker: WorkerRef) async throws(StoreError) -> Stored<Presence>? {
        try await read(keys.live(worker))
    }

    /// Whether the worker is live and holds the actor, which still exists and was not told to leave. One linearizable read.
    package func holds(_ worker: WorkerRef, _ actor: ActorRef) async throws(StoreError) -> Bool {
        let rows = try await rows(actor, on: worker)
        guard let row = rows.actor?.value, let binding = rows.binding?.value else { return false }
        return row.state.assignment?.worker == worker && binding.actor == actor && binding.actorUID == row.uid
            && binding.phase != .revoked && rows.presence?.incarnation == binding.incarnation
    }
}
