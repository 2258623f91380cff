internal import Etcd
package import SubstrateModel

extension Store {
    /// Creates an atespace.
    /// - Returns: whether it did; false when there is one.
    package func createAtespace(_ name: String, _ atespace: Atespace) async throws(StoreError) -> Bool {
        let key = keys.atespace(name)
        let outcome = try await once(
            when: [key.isAbsent], then: [.put(key, try Codec.encode(atespace, for: key))], otherwiseRead: [key])
        if case .applied = outcome { return true }
        return false
    }

    package func atespace(_ name: String) async throws(StoreError) -> Stored<Atespace>? {
        try await read(keys.atespace(name))
    }

    /// The names of all atespaces, sorted.
    package func listAtespaces() async throws(StoreError) -> [String] {
        var names: [String] = []
        do {
            for try await page in etcd.pages(of: keys.atespaces) {
                names += page.pairs.compactMap { keys.atespaceName($0.key) }
            }
        } catch {
            throw StoreError(error)
        }
        return names
    }

    package enum DeleteAtespaceOutcome: Sendable, Equatable {
        case deleted
        case notEmpty
        /// Deleted, or deleted and created again, since it was read.
        case changed
    }

    /// Deletes an atespace as it was read, if no actor is in it. An actor created at the same time loses, or wins.
    package func deleteAtespace(_ name: String, _ atespace: Stored<Atespace>) async throws(StoreError)
        -> DeleteAtespaceOutcome
    {
        let key = keys.atespace(name)
        // Sent once: an attempt that was refused because of an actor could succeed late, when the actor has gone.
        let outcome = try await once(
            when: [key.modRevision == atespace.modRevision, keys.actors(in: name).isEmpty], then: [.delete(key)],
            otherwiseRead: [key])
        switch outcome {
        case .applied: return .deleted
        case .refused(_, let pairs):
            return pairs[key]?.modRevision == atespace.modRevision ? .notEmpty : .changed
        }
    }
}
