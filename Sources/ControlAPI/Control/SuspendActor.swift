internal import ControlPlane
internal import SubstrateAPI

extension ControlServices {
    @Sendable func suspendActor(_ request: SuspendActorRequest, _ caller: Caller) async throws -> ActorResponse {
        try Validation.lookup(request.actor)
        let actor = try await control.waitingForOthers(request.actor, caller.waits) { () throws(ControlError) in
            try await control.suspendActor(request.actor)
        }
        return ActorResponse(actor: ActorInfo(request.actor, actor))
    }
}
