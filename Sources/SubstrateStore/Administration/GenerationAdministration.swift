internal import Etcd
package import SubstrateModel

extension Store {
    /// The store's generation; nil for the first. One linearizable read.
    package func generation() async throws(StoreError) -> Stored<Generation>? { try await read(keys.generation) }

    /// Puts a new generation in the place of the one that was read.
    /// - Returns: whether it did; false when somebody else was first.
    package func raise(_ generation: Generation, over stored: Stored<Generation>?) async throws(StoreError) -> Bool {
        let key = keys.generation
        let writes = [Transaction.Operation.put(key, try Codec.encode(generation, for: key))]
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

    /// Waits until the store is of another generation than that.
    /// - Throws: `.etcd` with code `.cancelled` when the task is cancelled.
    package func waitForGeneration(otherThan known: Generation?) async throws(StoreError) {
        let key = keys.generation
        do throws(EtcdError) {
            while true {
                let response = try await etcd.range(.key(key))
                let now = try? response.pairs.first.map { pair in try Codec.decode(pair, as: Generation.self).value }
                if now?.id != known?.id { return }
                // Any event, and a compaction that has taken what the watch needs, mean: look again.
                for try await _ in etcd.watch(.key(key), from: response.revision + 1) { break }
            }
        } catch {
            throw StoreError(error)
        }
    }
}
