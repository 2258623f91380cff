internal import Etcd
package import SubstrateModel

extension Store {
    /// The actor, or nil. One linearizable read.
    package func actor(_ ref: ActorRef) async throws(StoreError) -> Stored<Actor>? {
        try await read(keys.actor(ref))
    }

    /// The actors, in the order of the references, as of one revision. One linearizable read of at most 128 keys.
    /// An actor that is there but cannot be read comes with the reason.
    package func actors(_ refs: [ActorRef]) async throws(StoreError) -> [Result<Stored<Actor>?, StoreError>] {
        let transaction = Transaction().then(refs.map { .get(keys.actor($0)) })
        let response: TransactionResponse
        do {
            response = try await etcd.transaction(transaction)
        } catch {
            throw StoreError(error)
        }
        return response.reads.map { pairs in
            guard let pair = pairs.first else { return .success(nil) }
            return Result { () throws(StoreError) in try Codec.decode(pair) }
        }
    }

    /// Actor, operation, and the presence and binding of one worker, as of one revision. One linearizable read.
    package func rows(_ ref: ActorRef, on worker: WorkerRef?) async throws(StoreError) -> Rows {
        let keys = stepKeys(ref, worker)
        let response: TransactionResponse
        do {
            response = try await etcd.transaction(Transaction().then(keys.map { .get($0) }))
        } catch {
            throw StoreError(error)
        }
        let pairs = response.reads.joined().reduce(into: [Key: KeyValue]()) { $0[$1.key] = $1 }
        return try rows(ref, worker, revision: response.revision, pairs)
    }

    func stepKeys(_ ref: ActorRef, _ worker: WorkerRef?) -> [Key] {
        [keys.actor(ref), keys.operation(ref)] + (worker.map { [keys.live($0), keys.bound($0)] } ?? [])
    }

    func rows(
        _ ref: ActorRef, _ worker: WorkerRef?, revision: Int64, _ pairs: [Key: KeyValue]
    ) throws(StoreError) -> Rows {
        var rows = Rows(revision: revision)
        if let pair = pairs[keys.actor(ref)] { rows.actor = try Codec.decode(pair) }
        if let pair = pairs[keys.operation(ref)] { rows.operation = try Codec.decode(pair) }
        guard let worker else { return rows }
        if let pair = pairs[keys.live(worker)] { rows.presence = try Codec.decode(pair) }
        if let pair = pairs[keys.bound(worker)] { rows.binding = try Codec.decode(pair) }
        return rows
    }

    /// How many actors there are in the atespace. One linearizable read, of which only the number is sent.
    package func countActors(in atespace: String) async throws(StoreError) -> Int {
        var request = RangeRequest(keys.actors(in: atespace))
        request.countOnly = true
        do { return try await etcd.range(request).count } catch { throw StoreError(error) }
    }

    /// How many actors there are. The server walks through their keys, and sends only the number.
    package func countActors() async throws(StoreError) -> Int {
        var request = RangeRequest(keys.actors)
        request.countOnly = true
        // Somebody looks at it once and again; that may cost the cluster no round.
        request.isSerializable = true
        do { return try await etcd.range(request).count } catch { throw StoreError(error) }
    }

    /// Where a listing of actors stands.
    package struct ActorCursor: Sendable, Equatable {
        /// The revision that all pages show.
        package var revision: Int64
        /// The actor behind which the next page begins.
        package var last: ActorRef

        package init(revision: Int64, last: ActorRef) {
            self.revision = revision
            self.last = last
        }
    }

    /// One page of actors.
    package struct ActorPage: Sendable {
        package var actors: [(ref: ActorRef, actor: Stored<Actor>)]
        /// The revision that the page shows.
        package var revision: Int64
        package var hasMore: Bool
    }

    /// At most `limit` actors of one atespace, or of all, in the order of their keys.
    /// - Throws: `.etcd` with code `.compacted` when the cursor's revision is gone.
    package func listActors(
        in atespace: String?, after cursor: ActorCursor?, limit: Int
    ) async throws(StoreError) -> ActorPage {
        let whole = atespace.map(keys.actors(in:)) ?? keys.actors
        let range = cursor.map { whole.continued(behind: keys.actor($0.last)) } ?? whole
        let response: RangeResponse
        do {
            response = try await etcd.range(RangeRequest(range, limit: limit, revision: cursor?.revision))
        } catch {
            throw StoreError(error)
        }
        var actors: [(ref: ActorRef, actor: Stored<Actor>)] = []
        for pair in response.pairs {
            guard let ref = keys.actorRef(pair.key) else { continue }
            actors.append((ref, try Codec.decode(pair)))
        }
        return ActorPage(actors: actors, revision: cursor?.revision ?? response.revision, hasMore: response.hasMore)
    }
}
