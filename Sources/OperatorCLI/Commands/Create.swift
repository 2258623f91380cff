internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `create actor NAME --template NAMESPACE/NAME`, `create atespace NAME`.
struct Create {
    static func run(_ context: CommandContext) async throws {
        var context = context
        switch try context.takeKind(["actor", "atespace"], verb: "create") {
        case "actor":
            let name = try context.takeName("actor")
            guard let text = context.values.optional("template") else {
                throw FlagError("create actor needs --template NAMESPACE/NAME")
            }
            let template = try CommandContext.pair(text, "--template")
            let request = CreateActorRequest(
                actor: ActorRef(atespace: context.atespace, name: name),
                template: TemplateRef(namespace: template.namespace, name: template.name),
                workerSelector: Selector(matchLabels: try labels(context.values.all("selector"))))
            context.show(.actors([try await context.call(ControlMethods.createActor, request).actor]))
        default:
            let request = AtespaceRequest(name: try context.takeName("atespace"))
            context.show(.atespaces([try await context.call(ControlMethods.createAtespace, request).name]))
        }
    }

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
