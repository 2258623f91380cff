package import Etcd
package import SubstrateModel

extension Store {
    /// Wants the workers drained; an order that is there already is replaced, which begins a new grace period.
    package func drain(_ target: DrainTarget, _ order: DrainOrder) async throws(StoreError) {
        let key = keys.drain(target)
        let write = Transaction.Operation.put(key, try Codec.encode(order, for: key))
        while true {
            let stored: Stored<DrainOrder>? = try await read(key)
            let outcome: CommitOutcome
            if let stored {
                outcome = try await commit(
                    when: [key.modRevision == stored.modRevision], then: [write], otherwiseRead: [])
            } else {
                outcome = try await once(when: [key.isAbsent], then: [write], otherwiseRead: [])
            }
            // Refused: somebody else has written or deleted it since the read, so the next read shows something new.
            if case .applied = outcome { return }
        }
    }

    /// Takes an order back. Returns whether there was one.
    package func undrain(_ target: DrainTarget) async throws(StoreError) -> Bool {
        let key = keys.drain(target)
        while true {
            guard let stored: Stored<DrainOrder> = try await read(key) else { return false }
            let outcome = try await commit(
                when: [key.modRevision == stored.modRevision], then: [.delete(key)], otherwiseRead: [])
            if case .applied = outcome { return true }
        }
    }

    /// All that is to be drained, as of one revision.
    package func listDrainOrders() async throws(StoreError) -> [DrainTarget: Stored<DrainOrder>] {
        do throws(EtcdError) {
            return drainOrders(try await etcd.list(keys.drains))
        } catch {
            throw StoreError(error)
        }
    }

    /// The orders among what was listed. One that cannot be read is none.
    package func drainOrders(_ listing: Listing) -> [DrainTarget: Stored<DrainOrder>] {
        var orders: [DrainTarget: Stored<DrainOrder>] = [:]
        for pair in listing.pairs {
            if let target = keys.drainTarget(pair.key) { orders[target] = try? Codec.decode(pair) }
        }
        return orders
    }

    /// Says in the worker's presence until when it drains, or that it does not. The presence keeps its lease.
    /// - Parameter presence: as last written.
    /// - Returns: the presence as it is now; nil when it is not this incarnation any more.
    /// - Throws: `.sessionLost` when the lease is gone.
    package func mark(
        _ worker: WorkerRef, _ presence: Stored<Presence>, drainingUntilMilliseconds: Int64?, lease: LeaseID
    ) async throws(StoreError) -> Stored<Presence>? {
        let key = keys.live(worker)
        var known = presence
        while true {
            var marked = known.value
            marked.drainingUntilMilliseconds = drainingUntilMilliseconds
            let outcome = try await commit(
                when: [key.createRevision == known.createRevision, key.modRevision == known.modRevision],
                then: [.put(key, try Codec.encode(marked, for: key), lease: lease)], otherwiseRead: [key])
            switch outcome {
            case .applied(let revision): return known.updated(marked, at: revision)
            case .refused(_, let pairs):
                guard let pair = pairs[key], pair.createRevision == known.createRevision else { return nil }
                // An earlier mark of ours, whose answer got lost, may have landed late.
                known = try Codec.decode(pair)
            }
        }
    }
}
