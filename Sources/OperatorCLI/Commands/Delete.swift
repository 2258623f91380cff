internal import SubstrateAPI
internal import SubstrateModel

/// `delete actor|atespace|pool|template NAME`.
enum Delete {
    static let command = Command(
        words: ["delete"], summary: "deletes an actor, an atespace, a pool or a template",
        details: "An actor must be SUSPENDED, and an atespace empty.",
        examples: ["delete actor alice", "delete atespace team", "delete template default/counter"],
        flags: { flags in
            SharedFlags.atespace(&flags)
            SharedFlags.namespace(&flags)
            SharedFlags.timeout(&flags)
        },
        action: .object([.actor, .atespace, .pool, .template]) { kind, name, invocation in
            let api = try APIClient(invocation)
            switch kind {
            case .atespace: _ = try await api.call(ControlMethods.deleteAtespace, AtespaceRequest(name: name))
            case .pool, .template:
                let (namespace, name) = try invocation.pair(name, "\(kind)")
                let method = kind == .pool ? ResourcesMethods.deletePool : ResourcesMethods.deleteTemplate
                _ = try await api.call(method, NamedRequest(namespace: namespace, name: name))
            case .actor, .worker, .node:
                let ref = ActorRef(atespace: invocation.atespace, name: name)
                _ = try await api.call(ControlMethods.deleteActor, DeleteActorRequest(actor: ref))
            }
            try invocation.say("\(kind) \"\(name)\" deleted")
        })
}
