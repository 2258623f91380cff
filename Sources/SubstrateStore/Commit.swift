internal import Etcd
internal import SubstrateModel

/// What became of a guarded write.
enum CommitOutcome {
    /// It is in the store since this revision.
    case applied(revision: Int64)
    /// A condition did not hold. The keys that were asked for, as they are now.
    case refused(revision: Int64, pairs: [Key: KeyValue])
}

extension Store {
    /// Writes if the conditions hold, and otherwise reads `keys`.
    ///
    /// An attempt without an answer is repeated, which the conditions make safe. When a repeated one finds that they no
    /// longer hold, its own first attempt may be the reason; what the keys hold now tells.
    func commit(
        when conditions: [Compare], then writes: [Transaction.Operation], otherwiseRead keys: [Key]
    ) async throws(StoreError) -> CommitOutcome {
        let transaction = Transaction().when(conditions).then(writes).otherwise(keys.map { .get($0) }).guarded()
        let response: TransactionResponse
        do {
            response = try await etcd.transaction(transaction)
        } catch {
            throw StoreError(error)
        }
        if response.succeeded { return .applied(revision: response.revision) }
        let pairs = response.reads.joined().reduce(into: [Key: KeyValue]()) { $0[$1.key] = $1 }
        if response.earlierAttemptMayHaveSucceeded,
            let revision = revision(of: writes, in: pairs, now: response.revision)
        {
            return .applied(revision: revision)
        }
        return .refused(revision: response.revision, pairs: pairs)
    }

    /// The revision at which all the writes took effect, if the pairs show that they did: every value put is there, from
    /// one and the same revision, and every key deleted is absent. Deletions alone leave no revision behind; that what
    /// should be gone is gone at `now` is then as good.
    private func revision(
        of writes: [Transaction.Operation], in pairs: [Key: KeyValue], now: Int64
    ) -> Int64? {
        var revisions: Set<Int64> = []
        for write in writes {
            switch write {
            case .put(let put):
                guard let pair = pairs[put.key], pair.value == put.value else { return nil }
                revisions.insert(pair.modRevision)
            case .deleteRange(let delete):
                if pairs.keys.contains(where: delete.range.contains) { return nil }
            case .range: break
            }
        }
        return revisions.count > 1 ? nil : revisions.first ?? now
    }

    /// Reads one key.
    func read<Value: StoredValue>(_ key: Key) async throws(StoreError) -> Stored<Value>? {
        let response: RangeResponse
        do {
            response = try await etcd.range(.key(key))
        } catch {
            throw StoreError(error)
        }
        guard let pair = response.pairs.first else { return nil }
        return try Codec.decode(pair)
    }
}

extension StoreError {
    init(_ error: EtcdError) {
        self = error.code == .leaseNotFound ? .sessionLost : .etcd(error)
    }
}
