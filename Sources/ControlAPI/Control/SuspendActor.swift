internal import ControlPlane
internal import SubstrateAPI

extension ControlServices {
    @Sendable func suspendActor(_ request: SuspendActorRequest) async throws -> ActorResponse {
        try Validation.lookup(request.actor)
        let actor = try await control.suspendActor(request.actor)
        return ActorResponse(actor: ActorInfo(request.actor, actor))
    }
}
