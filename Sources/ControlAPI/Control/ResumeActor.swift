internal import ControlPlane
internal import SubstrateAPI

extension ControlServices {
    /// `boot` asks to start without a golden snapshot; there are none yet, so it makes no difference.
    @Sendable func resumeActor(_ request: ResumeActorRequest) async throws -> ActorResponse {
        try Validation.lookup(request.actor)
        let actor = try await control.resumeActor(request.actor)
        return ActorResponse(actor: ActorInfo(request.actor, actor))
    }
}
