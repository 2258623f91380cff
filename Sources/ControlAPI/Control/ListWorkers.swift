internal import ControlPlane
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    /// What is live or bound: a lost worker stays listed until its actor has been released.
    @Sendable func listWorkers(_ request: EmptyRequest) async throws -> ListWorkersResponse {
        let listing = try await store.listWorkers()
        let refs = Set(listing.live.keys).union(listing.bound.keys).sorted()
        return ListWorkersResponse(
            workers: refs.map {
                WorkerInfo($0, WorkerRow(presence: listing.live[$0], binding: listing.bound[$0]))
            })
    }
}
