internal import Etcd
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    /// As `watchActors`. What is shown of a worker comes from several keys, so the stream keeps the rows of all of them, from
    /// the revision on that the client names. Without one the state that comes first is no older than the request: routers
    /// rely on that.
    @Sendable func watchWorkers(_ request: WatchWorkersRequest, _ writer: ResponseWriter<WorkersUpdate>) async throws {
        try Validation.revision(request.afterRevision)
        var view = WorkersView(keys: store.keys)
        var revision = request.afterRevision
        if let known = try await workers(at: revision) {
            view = known
        } else {
            revision = try await sendWorkers(&view, to: writer)
        }
        while true {
            changes: for try await batch in store.etcd.watch(store.keys.operationsAndWorkers, from: revision + 1) {
                switch batch {
                case .events(let events):
                    if let update = try view.take(events) { try await writer.send(update) }
                    revision = events.last?.revision ?? revision
                case .compacted: break changes
                }
            }
            try Task.checkCancellation()
            revision = try await sendWorkers(&view, to: writer)
        }
    }

    /// The workers as of a revision; nil when that is not kept any more, or not there yet.
    private func workers(at revision: Int64) async throws -> WorkersView? {
        guard try await store.keepsHistory(since: revision) else { return nil }
        do throws(StoreError) {
            return try await view(of: try await store.listWorkers(at: revision))
        } catch {
            guard case .etcd(let failure) = error, failure.code == .compacted else { throw error }
            return nil
        }
    }

    private func view(of listing: WorkerListing) async throws(StoreError) -> WorkersView {
        let operations = try await store.listOperations(at: listing.revision).operations
        return WorkersView(keys: store.keys, listing, inHand: Set(operations.keys))
    }

    /// The current state, which is returned. When it is compacted away between two reads it is read again.
    private func current() async throws(StoreError) -> (revision: Int64, view: WorkersView) {
        while true {
            let listing = try await store.listWorkers()
            do throws(StoreError) {
                return (listing.revision, try await view(of: listing))
            } catch {
                guard case .etcd(let failure) = error, failure.code == .compacted else { throw error }
            }
        }
    }

    private func sendWorkers(_ view: inout WorkersView, to writer: ResponseWriter<WorkersUpdate>) async throws -> Int64
    {
        let (revision, current) = try await current()
        view = current
        var update = WorkersUpdate(revision: 0, isReset: true)
        for worker in view.workers {
            // A worker takes at most some hundred bytes for each of its names.
            if update.workers.count == 1000 {
                try await writer.send(update)
                update = WorkersUpdate(revision: 0)
            }
            update.workers.append(worker)
        }
        update.revision = revision
        try await writer.send(update)
        return revision
    }
}
