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
    /// An attempt without an answer is repeated, which the conditions make safe: at least one of them has to compare a
    /// revision that the writes change. When a repeated one finds that they no longer hold, its own first attempt may be the
    /// reason; what the keys hold now tells, so those that are put are read as well.
    func commit(
        when conditions: [Compare], then writes: [Transaction.Operation], otherwiseRead keys: [Key]
    ) async throws(StoreError) -> CommitOutcome {
        let reads = keysToRead(keys, writes).map { Transaction.Operation.get($0) }
        let transaction = Transaction().when(conditions).then(writes).otherwise(reads).guarded()
        let response: TransactionResponse
        do {
            response = try await etcd.transaction(transaction)
        } catch {
            throw StoreError(error)
        }
        if response.succeeded { return .applied(revision: response.revision) }
        let pairs = pairs(response)
        if response.earlierAttemptMayHaveSucceeded,
            let revision = revision(of: writes, in: pairs, now: response.revision)
        {
            return .applied(revision: revision)
        }
        onConflict()
        return .refused(revision: response.revision, pairs: pairs)
    }

    /// Writes if the conditions hold, of which none is better than that a key is absent, and otherwise reads `keys`.
    ///
    /// It is sent once: of two attempts the later could create anew what has been deleted in between, or do what has been
    /// refused by then. When no answer comes, what the keys hold tells, if anything, that it was applied.
    func once(
        when conditions: [Compare], then writes: [Transaction.Operation], otherwiseRead keys: [Key]
    ) async throws(StoreError) -> CommitOutcome {
        let reads = keysToRead(keys, writes).map { Transaction.Operation.get($0) }
        do {
            let response = try await etcd.transaction(Transaction().when(conditions).then(writes).otherwise(reads))
            if response.succeeded { return .applied(revision: response.revision) }
            return .refused(revision: response.revision, pairs: pairs(response))
        } catch {
            guard error.outcome == .unknown, let now = try? await etcd.transaction(Transaction().then(reads)),
                let revision = revision(of: writes, in: pairs(now), now: now.revision)
            else { throw StoreError(error) }
            return .applied(revision: revision)
        }
    }

    /// What the keys that are put hold tells whether they were.
    private func keysToRead(_ keys: [Key], _ writes: [Transaction.Operation]) -> [Key] {
        keys + writes.compactMap(\.putKey).filter { !keys.contains($0) }
    }

    private func pairs(_ response: TransactionResponse) -> [Key: KeyValue] {
        response.reads.joined().reduce(into: [:]) { $0[$1.key] = $1 }
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

extension Transaction.Operation {
    fileprivate var putKey: Key? { if case .put(let put) = self { put.key } else { nil } }
}

extension StoreError {
    init(_ error: EtcdError) {
        self = error.code == .leaseNotFound ? .sessionLost : .etcd(error)
    }
}
