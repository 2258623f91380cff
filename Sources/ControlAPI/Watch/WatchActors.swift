internal import Etcd
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    /// The current state, or what has changed since the revision that the client names, and then every change. Memory is
    /// bounded: the state is read in pages, and changes wait in the watch, whose buffer is.
    @Sendable func watchActors(_ request: WatchActorsRequest, _ writer: ResponseWriter<ActorsUpdate>) async throws {
        if !request.atespace.isEmpty { try Validation.name(request.atespace, "atespace") }
        try Validation.revision(request.afterRevision)
        let atespace = request.atespace.isEmpty ? nil : request.atespace
        let range = atespace.map(store.keys.actors(in:)) ?? store.keys.actors
        var revision = request.afterRevision
        if try await !store.keepsHistory(since: revision) { revision = try await sendActors(of: atespace, to: writer) }
        while true {
            changes: for try await batch in store.etcd.watch(range, from: revision + 1) {
                switch batch {
                case .events(let events):
                    for update in try ActorChanges(events, store.keys, limit: Self.maximumBytes).updates {
                        try await writer.send(update)
                    }
                    revision = events.last?.revision ?? revision
                case .compacted: break changes
                }
            }
            try Task.checkCancellation()
            revision = try await sendActors(of: atespace, to: writer)
        }
    }

    /// The current state, at one revision, which is returned. When that is compacted away meanwhile it begins anew.
    private func sendActors(of atespace: String?, to writer: ResponseWriter<ActorsUpdate>) async throws -> Int64 {
        while true {
            do {
                return try await sendActorsOnce(of: atespace, to: writer)
            } catch let error as StoreError {
                guard case .etcd(let failure) = error, failure.code == .compacted else { throw error }
            }
        }
    }

    private func sendActorsOnce(
        of atespace: String?, to writer: ResponseWriter<ActorsUpdate>
    ) async throws -> Int64 {
        var cursor: Store.ActorCursor?
        var update = ActorsUpdate(revision: 0, isReset: true)
        var bytes = 0
        while true {
            let page = try await store.listActors(in: atespace, after: cursor, limit: 1000)
            for (ref, actor) in page.actors {
                let info = ActorInfo(ref, actor)
                if bytes + info.estimatedBytes > Self.maximumBytes {
                    try await writer.send(update)
                    update = ActorsUpdate(revision: 0)
                    bytes = 0
                }
                bytes += info.estimatedBytes
                update.actors.append(info)
            }
            cursor = page.next
            guard cursor != nil else {
                update.revision = page.revision
                try await writer.send(update)
                return page.revision
            }
        }
    }
}
