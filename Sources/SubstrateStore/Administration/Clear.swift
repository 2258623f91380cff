internal import Etcd
internal import SubstrateModel

extension Store {
    /// Deletes all actors, operations and atespaces, and revokes all bindings: what runs is killed by its node, which then
    /// registers its worker anew, and the ordinary release drops the binding. Templates, pools and presences stay.
    ///
    /// When it fails in between, calling it again finishes it.
    package func clear() async throws(StoreError) {
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
