internal import ControlPlane
internal import SubstrateAPI

extension ControlServices {
    @Sendable func pauseActor(_ request: PauseActorRequest) async throws -> ActorResponse {
        try Validation.lookup(request.actor)
        let actor = try await control.pauseActor(request.actor)
        return ActorResponse(actor: ActorInfo(request.actor, actor))
    }
}
