internal import ControlPlane
internal import SubstrateAPI
internal import SubstrateModel

extension ControlServices {
    /// `boot` asks to start without the template's golden snapshot; an actor that has a snapshot of its own starts from that
    /// all the same.
    @Sendable func resumeActor(_ request: ResumeActorRequest, _ caller: Caller) async throws -> ActorResponse {
        try Validation.lookup(request.actor)
        let patience = caller.timeLeft.map { min(options.capacityWait, $0) } ?? options.capacityWait
        let actor = try await control.waitingForOthers(request.actor, caller.waits, resumes: true) {
            () throws(ControlError) in
            try await control.resumeActor(request.actor, boot: request.boot, capacityWait: patience)
        }
        var info = ActorInfo(request.actor, actor)
        info.routerAddress = info.assignment.flatMap { control.inventory.routerAddress(of: $0.worker, uid: $0.uid) }
        return ActorResponse(actor: info)
    }
}
