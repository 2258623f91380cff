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

    /// What is stored about a worker, as of one revision.
    package struct Standing: Sendable, Equatable {
        package var revision: Int64
        package var presence: Stored<Presence>?
        package var binding: Stored<Binding>?
    }

    /// Presence and binding of each of the workers, in the same order. One transaction for every 64 of them, which is what
    /// etcd takes at once.
    package func standings(of workers: [WorkerRef]) async throws(StoreError) -> [Standing] {
        var standings: [Standing] = []
        while standings.count < workers.count {
            let batch = workers.dropFirst(standings.count).prefix(64)
            let reads = batch.flatMap { [.get(keys.live($0)), .get(keys.bound($0))] as [Transaction.Operation] }
            let response: TransactionResponse
            do { response = try await etcd.transaction(Transaction().then(reads)) } catch { throw StoreError(error) }
            let pairs = response.reads.map(\.first)
            guard pairs.count == reads.count else {
                throw .unreadable(key: "\(keys.workers)", reason: "the transaction contradicts itself")
            }
            for index in batch.indices {
                let offset = 2 * (index - batch.startIndex)
                var standing = Standing(revision: response.revision)
                // What cannot be read proves nothing, so it is as good as none: the worker is registered anew.
                standing.presence = pairs[offset].flatMap { try? Codec.decode($0) }
                standing.binding = pairs[offset + 1].flatMap { try? Codec.decode($0) }
                standings.append(standing)
            }
        }
        return standings
    }

    /// Whether the worker is live and holds the actor, which still exists and was not told to leave. One linearizable read.
    package func holds(_ worker: WorkerRef, _ actor: ActorRef) async throws(StoreError) -> Bool {
        let rows = try await rows(actor, on: worker)
        guard let row = rows.actor?.value, let binding = rows.binding?.value else { return false }
        return row.state.assignment?.worker == worker && binding.actor == actor && binding.actorUID == row.uid
            && binding.phase != .revoked && rows.presence?.incarnation == binding.incarnation
    }
}
