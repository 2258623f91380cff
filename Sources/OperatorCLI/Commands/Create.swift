internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `create actor NAME --template NAMESPACE/NAME`, `create atespace NAME`.
enum Create {
    static let command = Command(
        words: ["create"], summary: "makes an actor or an atespace",
        details: "A new actor is SUSPENDED until it is resumed or asked for. Pools and templates are made with apply.",
        examples: [
            "create actor alice --template default/counter",
            "create actor bob -a team --template counter --selector size=small",
            "create atespace team",
        ], makesNames: true,
        flags: { flags in
            SharedFlags.atespace(&flags)
            flags.text(
                "template", "TEMPLATE", help: "What the actor is made of: NAMESPACE/NAME, or a name in --namespace.")
            flags.text(
                "selector", "LABEL=VALUE", isRepeatable: true,
                help: "A label that the pool of the actor's worker must have.")
            SharedFlags.namespace(&flags)
            SharedFlags.output(&flags)
            SharedFlags.timeout(&flags)
        },
        action: .object([.actor, .atespace]) { kind, name, invocation in
            let api = try APIClient(invocation)
            if kind == .atespace {
                let request = AtespaceRequest(name: name)
                try invocation.show(.atespaces, [try await api.call(ControlMethods.createAtespace, request).name])
                return
            }
            guard let text = invocation.values.optional("template") else {
                throw FlagError("create actor needs --template NAMESPACE/NAME")
            }
            let template = try invocation.pair(text, "--template")
            let request = CreateActorRequest(
                actor: ActorRef(atespace: invocation.atespace, name: name),
                template: TemplateRef(namespace: template.namespace, name: template.name),
                workerSelector: Selector(matchLabels: try labels(invocation.values.all("selector"))))
            try invocation.show(.actors, [try await api.call(ControlMethods.createActor, request).actor])
        })

    private static func labels(_ texts: [String]) throws(FlagError) -> [String: String] {
        var labels: [String: String] = [:]
        for text in texts.flatMap({ $0.split(separator: ",") }) {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { throw FlagError("--selector \(text): must be <label>=<value>") }
            labels[parts[0]] = parts[1]
        }
        return labels
    }
}
