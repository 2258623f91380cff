internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    @Sendable func getAtespace(_ request: AtespaceRequest) async throws -> AtespaceResponse {
        try Validation.require(request.name, "name")
        guard NameRule.allows(request.name), try await store.atespace(request.name) != nil else {
            throw Status.notFound("Atespace \(request.name.excerpt) not found")
        }
        return AtespaceResponse(name: request.name)
    }
}
