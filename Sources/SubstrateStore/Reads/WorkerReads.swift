internal import Etcd
package import SubstrateModel

/// Presences and bindings as of one revision.
package struct WorkerListing: Sendable {
    package var revision: Int64
    package var live: [WorkerRef: Stored<Presence>] = [:]
    package var bound: [WorkerRef: Stored<Binding>] = [:]
    /// Rows that are there but cannot be read.
    package var unreadable: [StoreError] = []

    package init(revision: Int64) { self.revision = revision }
}

extension Store {
    /// All workers, live or bound, as of one revision.
    package func listWorkers() async throws(StoreError) -> WorkerListing { try await list(keys.workers) }

    /// The bindings of one pool's workers, as of one revision.
    package func listBindings(in pool: PoolRef) async throws(StoreError) -> WorkerListing {
        try await list(keys.bindings(in: pool))
    }

    private func list(_ range: KeyRange) async throws(StoreError) -> WorkerListing {
        var listing = WorkerListing(revision: 0)
        do {
            for try await page in etcd.pages(of: range) {
                // All pages show the revision of the first.
                if listing.revision == 0 { listing.revision = page.revision }
                for pair in page.pairs { add(pair, to: &listing) }
            }
        } catch {
            throw StoreError(error)
        }
        return listing
    }

    private func add(_ pair: KeyValue, to listing: inout WorkerListing) {
        do throws(StoreError) {
            switch keys.worker(pair.key) {
            case .live(let ref): listing.live[ref] = try Codec.decode(pair)
            case .bound(let ref): listing.bound[ref] = try Codec.decode(pair)
            case nil: break
            }
        } catch {
            listing.unreadable.append(error)
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
}
