/// One of those who want the same lock or leadership: a key under the session's lease. Whoever's key was created first has
/// it. This is how etcd's own tools do it, so they can take part.
struct Candidate: Sendable {
    let store: any EtcdStore
    let clock: any Clock<Duration>
    /// What the keys of all candidates begin with.
    let prefix: Key
    let key: Key
    let revision: Int64

    var fence: Compare { key.createRevision == revision }

    /// One that no other candidate has, for all practical purposes.
    static func randomLabel() -> String { String(UInt64.random(in: .min ... .max), radix: 16) }

    /// Joins the queue.
    /// - Parameter label: keeps two candidates of one session apart.
    static func join(_ name: Key, _ value: [UInt8], _ label: String, _ session: Session) async throws -> Candidate {
        let prefix = Key(bytes: name.bytes + Array("/".utf8))
        let key = Key(bytes: prefix.bytes + Array("\(session.lease.id)-\(label)".utf8))
        let response = try await session.store.transaction(
            Transaction().when(session.fence, key.isAbsent).then(.put(key, value, lease: session.lease.id))
                .otherwise(.get(key)).guarded())
        guard let revision = response.succeeded ? response.revision : response.reads.first?.first?.createRevision else {
            throw SessionLost.keyDeleted(session.key)
        }
        return Candidate(store: session.store, clock: session.clock, prefix: prefix, key: key, revision: revision)
    }

    /// Waits until nobody is in front. Only the departure of the next one in front wakes it, so that a queue of many does not
    /// wake all for each step.
    func waitForTurn() async throws {
        var before = RangeRequest(.prefix(prefix), limit: 1)
        before.sort = .descending(.createRevision)
        before.maximumCreateRevision = revision - 1
        before.keysOnly = true
        while true {
            let response = try await store.transaction(Transaction().then(.range(before), .get(key)))
            guard response.reads.last?.first?.createRevision == revision else { throw SessionLost.keyDeleted(key) }
            guard let next = response.reads.first?.first else { return }
            try await store.waitForDeletion(of: next.key, since: response.revision, clock: clock)
        }
    }

    /// Does the work while the key exists, then deletes it.
    func hold<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        do {
            try await waitForTurn()
            let value = try await whileHeld(
                {
                    try await store.waitForDeletion(of: key, since: revision, clock: clock)
                    return .keyDeleted(key)
                }, body)
            await leave()
            return value
        } catch {
            await leave()
            throw error
        }
    }

    /// Tries to leave the queue, also when the task is cancelled; a key that is left goes with the lease.
    private func leave() async {
        await evenIfCancelled {
            _ = try? await store.transaction(Transaction().when(fence).then(.delete(key)).guarded())
        }
    }

}
