package import Etcd
package import SubstrateModel

extension Store {
    package enum RegisterOutcome: Sendable, Equatable {
        case registered(Stored<Presence>)
        /// A presence of this name exists.
        case taken(by: Stored<Presence>, lease: LeaseID?)
    }

    /// Offers a worker, under the node's lease. Never overwrites a presence: each registration is a new incarnation.
    package func register(
        _ worker: WorkerRef, _ presence: Presence, lease: LeaseID
    ) async throws(StoreError) -> RegisterOutcome {
        let key = keys.live(worker)
        let outcome = try await once(
            when: [key.isAbsent], then: [.put(key, try Codec.encode(presence, for: key), lease: lease)],
            otherwiseRead: [key])
        switch outcome {
        case .applied(let revision): return .registered(.created(presence, at: revision))
        case .refused(_, let pairs):
            guard let pair = pairs[key] else {
                // There and gone between the two parts of one transaction cannot be.
                throw .unreadable(key: "\(key)", reason: "the transaction contradicts itself")
            }
            return .taken(by: try Codec.decode(pair), lease: pair.lease)
        }
    }

    /// Withdraws a worker, if its presence is still this incarnation. What its actor was is then released.
    package func withdraw(_ worker: WorkerRef, _ incarnation: Incarnation) async throws(StoreError) {
        let key = keys.live(worker)
        _ = try await commit(
            when: [key.createRevision == incarnation.revision], then: [.delete(key)], otherwiseRead: [])
    }
}
