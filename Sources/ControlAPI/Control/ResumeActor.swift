internal import ControlPlane
internal import SubstrateAPI

extension ControlServices {
    /// `boot` asks to start without a golden snapshot; there are none yet, so it makes no difference.
    @Sendable func resumeActor(_ request: ResumeActorRequest, _ caller: Caller) async throws -> ActorResponse {
        try Validation.lookup(request.actor)
        let patience = caller.timeLeft.map { min(options.capacityWait, $0) } ?? options.capacityWait
        let actor = try await control.waitingForOthers(request.actor, caller.waits) { () throws(ControlError) in
            try await control.resumeActor(request.actor, capacityWait: patience)
        }
        return ActorResponse(actor: ActorInfo(request.actor, actor))
    }
}
