internal import ControlPlane
internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    @Sendable func createActor(_ request: CreateActorRequest) async throws -> ActorResponse {
        let ref = request.actor
        try Validation.require(request.template.namespace, "actor_template_namespace")
        try Validation.require(request.template.name, "actor_template_name")
        try Validation.require(ref.name, "actor_id")
        try Validation.name(ref.name, "actor_id")
        try Validation.require(ref.atespace, "atespace")
        try Validation.name(ref.atespace, "atespace")
        try Validation.selector(request.workerSelector)
        // A name that is not allowed cannot exist.
        let isAllowed =
            NameRule.allows(request.template.namespace) && NameRule.allowsSubdomain(request.template.name)
        guard isAllowed, try await control.catalog.template(request.template) != nil else {
            throw Status.failedPrecondition("ActorTemplate \(request.template) not found")
        }
        do throws(ControlError) { try await control.checkQuotaOfActors(in: ref.atespace) } catch { throw Status(error) }
        let actor = Actor(uid: control.newID(), template: request.template, workerSelector: request.workerSelector)
        switch try await store.createActor(ref, actor) {
        case .created(let stored): return ActorResponse(actor: ActorInfo(ref, stored))
        case .alreadyExists: throw Status.alreadyExists("Actor \(ref.name) already exists")
        case .noAtespace: throw Status.failedPrecondition("Atespace \(ref.atespace) not found")
        }
    }
}
