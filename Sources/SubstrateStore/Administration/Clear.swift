internal import Etcd
internal import SubstrateModel

extension Store {
    /// Deletes all actors, operations and atespaces, and revokes all bindings: what runs is killed by its node, which then
    /// registers its worker anew, and the ordinary release drops the binding. Templates, pools and presences stay.
    ///
    /// When it fails in between, calling it again finishes it. Snapshots that are written meanwhile stay behind.
    package func clear() async throws(StoreError) {
        try await noteAllSnapshots()
        do throws(EtcdError) {
            // Without its actor no binding is made anew.
            let everything = [keys.actors, keys.operations, keys.atespaces].map {
                Transaction.Operation.deleteRange(DeleteRequest($0))
            }
            _ = try await etcd.transaction(Transaction().then(everything))
        } catch {
            throw StoreError(error)
        }
        for (ref, binding) in try await listWorkers().bound where binding.value.phase != .revoked {
            try await revoke(ref, binding)
        }
    }

    /// Notes every snapshot as dropped before the actors go. One whose actor is still there when its time comes is kept.
    private func noteAllSnapshots() async throws(StoreError) {
        do {
            for try await page in etcd.pages(of: keys.actors, pageSize: 60) {
                var notes: [Transaction.Operation] = []
                for pair in page.pairs {
                    guard let ref = keys.actorRef(pair.key), let actor = try? Codec.decode(pair, as: Actor.self) else {
                        continue
                    }
                    notes += try note(actor.value.externalSnapshots, of: ref)
                }
                if !notes.isEmpty { _ = try await etcd.transaction(Transaction().then(notes)) }
            }
        } catch let error as StoreError {
            throw error
        } catch let error as EtcdError {
            throw StoreError(error)
        } catch {
            throw .unreadable(key: "\(keys.root)actors/", reason: "\(error)")
        }
    }

    /// Leaves alone what has changed: the node or the control plane was there first.
    private func revoke(_ worker: WorkerRef, _ binding: Stored<Binding>) async throws(StoreError) {
        var revoked = binding.value
        revoked.phase = .revoked
        let key = keys.bound(worker)
        _ = try await commit(
            when: [key.modRevision == binding.modRevision], then: [.put(key, try Codec.encode(revoked, for: key))],
            otherwiseRead: [])
    }
}
