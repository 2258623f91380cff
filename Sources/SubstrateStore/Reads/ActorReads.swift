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
}
