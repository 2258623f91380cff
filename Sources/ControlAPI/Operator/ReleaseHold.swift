internal import ControlPlane
internal import SubstrateAPI

extension ControlServices {
    @Sendable func releaseHold(_ request: ReleaseHoldRequest) async throws -> ActorResponse {
        try Validation.lookup(request.actor)
        return ActorResponse(actor: ActorInfo(request.actor, try await control.releaseHold(of: request.actor)))
    }
}
