internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    /// What is live or bound: a lost worker stays listed until its actor has been released.
    @Sendable func listWorkers(_ request: EmptyRequest) async throws -> ListWorkersResponse {
        let listing = try await store.listWorkers()
        let refs = Set(listing.live.keys).union(listing.bound.keys).sorted()
        return ListWorkersResponse(
            workers: refs.map { ref in
                let presence = listing.live[ref]
                let binding = listing.bound[ref]
                return WorkerInfo(
                    ref: ref, uid: presence?.value.uid ?? "", node: presence?.value.node ?? "",
                    ip: presence?.value.address.ip ?? "", version: (presence?.version ?? 0) + (binding?.version ?? 0),
                    actor: binding?.value.actor, template: binding?.value.template)
            })
    }
}
