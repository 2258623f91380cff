internal import SubstrateAPI
internal import SubstrateStore

extension ControlServices {
    @Sendable func listAtespaces(_ request: EmptyRequest) async throws -> ListAtespacesResponse {
        ListAtespacesResponse(names: try await store.listAtespaces())
    }
}
