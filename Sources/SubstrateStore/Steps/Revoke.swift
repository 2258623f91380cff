internal import Etcd
internal import SubstrateModel

extension Store {
    /// Gives up on a worker that does not answer for its actor: the binding is revoked, upon which the node registers the
    /// worker anew and the ordinary release follows. The operation stays until then.
    package func revoke(_ claim: Claim) async throws(StoreError) -> Claim {
        var binding = claim.binding.value
        binding.phase = .revoked
        let key = keys.bound(claim.worker)
        let revision = try await step(
            claim.ref, on: claim.worker,
            when: [
                key.modRevision == claim.binding.modRevision,
                keys.operation(claim.ref).createRevision == claim.token.revision,
            ],
            then: [.put(key, try Codec.encode(binding, for: key))])
        var revoked = claim
        revoked.binding = claim.binding.updated(binding, at: revision)
        return revoked
    }
}
