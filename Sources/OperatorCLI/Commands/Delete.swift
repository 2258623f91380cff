internal import SubstrateAPI
internal import SubstrateModel

/// `delete actor|atespace|pool|template NAME`.
struct Delete {
    static func run(_ context: CommandContext) async throws {
        var context = context
        let kind = try context.takeKind(["actor", "atespace", "pool", "template"], verb: "delete")
        let name = try context.takeName(kind)
        switch kind {
        case "actor":
            let ref = ActorRef(atespace: context.atespace, name: name)
            _ = try await context.call(ControlMethods.deleteActor, DeleteActorRequest(actor: ref))
        case "atespace":
            _ = try await context.call(ControlMethods.deleteAtespace, AtespaceRequest(name: name))
        case "pool":
            let pair = try CommandContext.pair(name, "pool")
            let request = NamedRequest(namespace: pair.namespace, name: pair.name)
            _ = try await context.call(ResourcesMethods.deletePool, request)
        default:
            let pair = try CommandContext.pair(name, "template")
            let request = NamedRequest(namespace: pair.namespace, name: pair.name)
            _ = try await context.call(ResourcesMethods.deleteTemplate, request)
        }
        print("\(kind) \"\(name)\" deleted")
    }
}
