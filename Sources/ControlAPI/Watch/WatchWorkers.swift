internal import ControlPlane
internal import Etcd
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    /// As `watchActors`. What is shown of a worker comes from two keys, so the stream keeps the rows of all of them, from
    /// the revision on that the client names.
    @Sendable func watchWorkers(_ request: WatchWorkersRequest, _ writer: ResponseWriter<WorkersUpdate>) async throws {
        try Validation.revision(request.afterRevision)
        var rows = WorkerTable()
        var revision = request.afterRevision
        if let known = try await workers(at: revision) {
            rows.take(known)
        } else {
            revision = try await sendWorkers(&rows, to: writer)
        }
        while true {
            changes: for try await batch in store.etcd.watch(store.keys.workers, from: revision + 1) {
                switch batch {
                case .events(let events):
                    if let update = try update(&rows, events) { try await writer.send(update) }
                    revision = events.last?.revision ?? revision
                case .compacted: break changes
                }
            }
            try Task.checkCancellation()
            revision = try await sendWorkers(&rows, to: writer)
        }
    }

    /// The workers as of a revision; nil when that is not kept any more, or not there yet.
    private func workers(at revision: Int64) async throws -> WorkerListing? {
        guard try await store.keepsHistory(since: revision) else { return nil }
        do throws(StoreError) {
            return try await store.listWorkers(at: revision)
        } catch {
            guard case .etcd(let failure) = error, failure.code == .compacted else { throw error }
            return nil
        }
    }

    private func sendWorkers(_ rows: inout WorkerTable, to writer: ResponseWriter<WorkersUpdate>) async throws -> Int64
    {
        let listing = try await store.listWorkers()
        rows = WorkerTable()
        rows.take(listing)
        var update = WorkersUpdate(revision: 0, isReset: true)
        for (ref, row) in rows.rows.sorted(by: { $0.key < $1.key }) {
            // A worker takes at most some hundred bytes for each of its names.
            if update.workers.count == 1000 {
                try await writer.send(update)
                update = WorkersUpdate(revision: 0)
            }
            update.workers.append(WorkerInfo(ref, row))
        }
        update.revision = listing.revision
        try await writer.send(update)
        return listing.revision
    }

    private func update(_ rows: inout WorkerTable, _ events: [WatchEvent]) throws(StoreError) -> WorkersUpdate? {
        var changed: Set<WorkerRef> = []
        for event in events {
            guard let key = store.keys.worker(event.key) else { continue }
            changed.insert(key.ref)
            switch (event, key) {
            case (.put(let pair, _), .live(let ref)): rows.put(try Codec.decode(pair, as: Presence.self), of: ref)
            case (.put(let pair, _), .bound(let ref)): rows.put(try Codec.decode(pair, as: Binding.self), of: ref)
            case (.delete(_, let revision, _), _): rows.remove(key, at: revision)
            }
        }
        guard let revision = events.last?.revision, !changed.isEmpty else { return nil }
        var update = WorkersUpdate(revision: revision)
        for ref in changed.sorted() {
            if let row = rows.rows[ref] {
                update.workers.append(WorkerInfo(ref, row))
            } else {
                update.deleted.append(ref)
            }
        }
        return update
    }
}

extension WorkerInfo {
    init(_ ref: WorkerRef, _ row: WorkerRow) {
        let presence = row.presence
        let binding = row.binding
        self.init(
            ref: ref, uid: presence?.value.uid ?? "", node: presence?.value.node ?? "",
            ip: binding?.value.address?.ip ?? "", version: (presence?.version ?? 0) + (binding?.version ?? 0),
            actor: binding?.value.actor, template: binding?.value.template,
            drainingUntilMilliseconds: presence?.value.drainingUntilMilliseconds)
    }
}
