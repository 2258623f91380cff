internal import Etcd
package import SubstrateModel

extension Store {
    package func pool(_ ref: PoolRef) async throws(StoreError) -> Stored<WorkerPool>? {
        try await read(keys.pool(ref))
    }

    package func template(_ ref: TemplateRef) async throws(StoreError) -> Stored<ActorTemplate>? {
        try await read(keys.template(ref))
    }

    package func listPools() async throws(StoreError) -> [WorkerPool] { try await list(keys.pools) }

    package func listTemplates() async throws(StoreError) -> [ActorTemplate] { try await list(keys.templates) }

    private func list<Value: StoredValue>(_ range: KeyRange) async throws(StoreError) -> [Value] {
        var pairs: [KeyValue] = []
        do {
            for try await page in etcd.pages(of: range) { pairs += page.pairs }
        } catch {
            throw StoreError(error)
        }
        var values: [Value] = []
        for pair in pairs { values.append(try Codec.decode(pair).value) }
        return values
    }

    /// Creates a pool, or replaces the one that was read.
    /// - Returns: whether it did; false when somebody else was first.
    package func putPool(_ pool: WorkerPool, over stored: Stored<WorkerPool>?) async throws(StoreError) -> Bool {
        let key = keys.pool(pool.ref)
        let writes = [Transaction.Operation.put(key, try Codec.encode(pool, for: key))]
        let outcome: CommitOutcome
        if let stored {
            outcome = try await commit(
                when: [key.modRevision == stored.modRevision], then: writes, otherwiseRead: [key])
        } else {
            outcome = try await once(when: [key.isAbsent], then: writes, otherwiseRead: [key])
        }
        if case .applied = outcome { return true }
        return false
    }

    /// Deletes a pool as it was read.
    /// - Returns: whether it did; false when somebody else was first.
    package func deletePool(_ stored: Stored<WorkerPool>) async throws(StoreError) -> Bool {
        try await delete(keys.pool(stored.value.ref), modRevision: stored.modRevision)
    }

    /// Creates a template.
    /// - Returns: whether it did; false when there is one.
    package func createTemplate(_ template: ActorTemplate) async throws(StoreError) -> Bool {
        let key = keys.template(template.ref)
        let outcome = try await once(
            when: [key.isAbsent], then: [.put(key, try Codec.encode(template, for: key))], otherwiseRead: [key])
        if case .applied = outcome { return true }
        return false
    }

    /// Deletes a template as it was read. Its golden snapshot is named no more from then on.
    /// - Returns: whether it did; false when somebody else was first.
    package func deleteTemplate(_ stored: Stored<ActorTemplate>) async throws(StoreError) -> Bool {
        let status = stored.value.status
        let golden = ActorRef(atespace: Atespace.golden, name: status.goldenActorID)
        return try await delete(
            keys.template(stored.value.ref), modRevision: stored.modRevision,
            and: try note(status.goldenSnapshot.map { [$0] } ?? [], of: golden))
    }

    private func delete(
        _ key: Key, modRevision: Int64, and notes: [Transaction.Operation] = []
    ) async throws(StoreError) -> Bool {
        let outcome = try await commit(
            when: [key.modRevision == modRevision], then: [.delete(key)] + notes, otherwiseRead: [key])
        if case .applied = outcome { return true }
        return false
    }
}
