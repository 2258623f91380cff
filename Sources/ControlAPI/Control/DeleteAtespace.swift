internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    @Sendable func deleteAtespace(_ request: AtespaceRequest) async throws -> EmptyResponse {
        let name = request.name
        try Validation.require(name, "name")
        if name == Atespace.defaultName {
            throw Status.failedPrecondition("Atespace \(name) cannot be deleted: it always exists")
        }
        guard NameRule.allows(name), let atespace = try await store.atespace(name) else {
            throw Status.notFound("Atespace \(name.excerpt) not found")
        }
        switch try await store.deleteAtespace(name, atespace) {
        case .deleted: return EmptyResponse()
        case .notEmpty: throw Status.failedPrecondition("Atespace \(name) is not empty")
        case .changed: throw Status.conflict
        }
    }
}
