internal import ControlPlane
internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    @Sendable func createAtespace(_ request: AtespaceRequest) async throws -> AtespaceResponse {
        try Validation.require(request.name, "name")
        try Validation.name(request.name, "atespace")
        guard try await store.createAtespace(request.name, Atespace(uid: control.newID())) else {
            throw Status.alreadyExists("Atespace \(request.name) already exists")
        }
        return AtespaceResponse(name: request.name)
    }
}
