internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    @Sendable func deleteActor(_ request: DeleteActorRequest) async throws -> EmptyResponse {
        let ref = request.actor
        try Validation.require(ref.name, "actor_id")
        try Validation.name(ref.name, "actor_id")
        try Validation.require(ref.atespace, "atespace")
        try Validation.lookup(ref)
        guard let actor = try await store.actor(ref) else { throw Status.notFound(ref) }
        guard actor.value.status == .suspended else {
            throw Status.failedPrecondition(
                "Actor \(ref.name) is not suspended (status: \(actor.value.status.rawValue))")
        }
        try await store.deleteActor(ref, actor)
        return EmptyResponse()
    }
}
