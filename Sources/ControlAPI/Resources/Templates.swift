internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    /// Templates never change: actors that were made from one rely on it.
    @Sendable func applyTemplate(_ request: TemplateMessage) async throws -> TemplateMessage {
        let template = request.template.declaration
        if let violation = ResourceRules.violation(of: template) {
            throw Status.invalid("ActorTemplate \(template.ref): \(violation)")
        }
        if try await store.createTemplate(template) { return TemplateMessage(template: template) }
        guard let stored = try await store.template(template.ref) else { throw Status.conflict }
        guard stored.value.declaration == template else {
            throw Status.failedPrecondition(
                "ActorTemplate \(template.ref) exists and is immutable: apply it under another name")
        }
        return TemplateMessage(template: stored.value)
    }

    @Sendable func getTemplate(_ request: NamedRequest) async throws -> TemplateMessage {
        let ref = try templateRef(request)
        guard let template = try await store.template(ref) else {
            throw Status.notFound("ActorTemplate \(ref) not found")
        }
        return TemplateMessage(template: template.value)
    }

    @Sendable func listTemplates(_ request: EmptyRequest) async throws -> ListTemplatesResponse {
        ListTemplatesResponse(templates: try await store.listTemplates())
    }

    @Sendable func deleteTemplate(_ request: NamedRequest) async throws -> EmptyResponse {
        let ref = try templateRef(request)
        guard let template = try await store.template(ref) else {
            throw Status.notFound("ActorTemplate \(ref) not found")
        }
        guard try await store.deleteTemplate(template) else { throw Status.conflict }
        return EmptyResponse()
    }

    private func templateRef(_ request: NamedRequest) throws(Status) -> TemplateRef {
        try Validation.require(request.namespace, "namespace")
        try Validation.require(request.name, "name")
        let ref = TemplateRef(namespace: request.namespace, name: request.name)
        guard NameRule.allows(ref.namespace), NameRule.allowsSubdomain(ref.name) else {
            throw .notFound("ActorTemplate \(ref) not found")
        }
        return ref
    }
}
