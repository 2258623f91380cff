internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    @Sendable func updateActor(_ request: UpdateActorRequest) async throws -> ActorResponse {
        let ref = request.actor
        try Validation.require(ref.name, "actor_id")
        try Validation.require(ref.atespace, "atespace")
        try Validation.name(ref.atespace, "atespace")
        try Validation.selector(request.workerSelector)
        try Validation.lookup(ref)
        guard let actor = try await store.actor(ref) else { throw Status.notFound(ref) }
        var changed = actor.value
        changed.workerSelector = request.workerSelector
        let stored = try await store.updateActor(ref, from: actor, to: changed)
        return ActorResponse(actor: ActorInfo(ref, stored))
    }
}
