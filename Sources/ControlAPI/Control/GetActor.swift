internal import GRPC
internal import SubstrateAPI
internal import SubstrateStore

extension ControlServices {
    @Sendable func getActor(_ request: GetActorRequest) async throws -> ActorResponse {
        try Validation.lookup(request.actor)
        guard let actor = try await store.actor(request.actor) else { throw Status.notFound(request.actor) }
        return ActorResponse(actor: ActorInfo(request.actor, actor))
    }
}
