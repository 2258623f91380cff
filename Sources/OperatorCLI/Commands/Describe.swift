internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `describe`: everything that the control plane tells of one object.
enum Describe {
    static let command = Command(
        words: ["describe"], summary: "tells everything of one actor, atespace, worker, pool or template",
        examples: ["describe actor alice -a team", "describe worker node-a-0", "describe pool default/small"],
        flags: { flags in
            SharedFlags.atespace(&flags)
            SharedFlags.namespace(&flags)
            SharedFlags.timeout(&flags)
        },
        action: .object(ResourceKind.shown) { kind, name, invocation in
            let reader = ResourceReader(api: try APIClient(invocation))
            try invocation.terminal.write(try await text(kind, name, invocation, reader))
        })

    private static func text(
        _ kind: ResourceKind, _ name: String, _ invocation: Invocation, _ reader: ResourceReader
    ) async throws -> String {
        switch kind {
        case .actor:
            return Description(
                try await reader.actor(ActorRef(atespace: invocation.atespace, name: name))
            ).text
        case .atespace:
            let atespace = try await reader.atespace(name)
            return Description(atespace: atespace, try await reader.actors(in: atespace)).text
        case .worker:
            let workers = try await reader.workers(named: name, in: invocation.values.optional("namespace"))
            return workers.map { Description($0).text }.joined(separator: "\n")
        case .pool:
            let pair = try invocation.pair(name, "pool")
            let pool = try await reader.pool(pair.namespace, pair.name)
            return Description(pool, try await reader.workers().filter { $0.ref.pool == pool.ref }).text
        case .template:
            let pair = try invocation.pair(name, "template")
            return Description(try await reader.template(pair.namespace, pair.name)).text
        // Not among those that can be shown.
        case .node: return ""
        }
    }
}
