internal import ControlPlane
internal import SubstrateAPI

extension ControlServices {
    @Sendable func pauseActor(_ request: PauseActorRequest, _ caller: Caller) async throws -> ActorResponse {
        try Validation.lookup(request.actor)
        let actor = try await control.waitingForOthers(request.actor, caller.waits) { () throws(ControlError) in
            try await control.pauseActor(request.actor)
        }
        return ActorResponse(actor: ActorInfo(request.actor, actor))
    }
}
