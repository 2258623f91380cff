internal import SubstrateAPI
internal import SubstrateStore

extension ControlServices {
    @Sendable func listAtespaces(_ request: ListAtespacesRequest) async throws -> ListAtespacesResponse {
        ListAtespacesResponse(names: try await store.listAtespaces())
    }
}
