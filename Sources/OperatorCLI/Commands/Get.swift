internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `get` and `list`: actors, atespaces, workers, pools, templates; all of a kind, or one by name.
struct Get {
    static func run(_ context: CommandContext) async throws {
        var context = context
        let kinds = ["actor", "atespace", "worker", "pool", "template"]
        let kind = try context.takeKind(kinds, verb: "get")
        if context.operands.isEmpty {
            context.show(try await all(kind, context))
        } else {
            context.show(try await one(kind, try context.takeName(kind), context))
        }
    }

    private static func all(_ kind: String, _ context: CommandContext) async throws -> Listing {
        switch kind {
        case "actor": .actors(try await actors(in: context.isEverywhere ? "" : context.atespace, context))
        case "atespace": .atespaces(try await context.call(ControlMethods.listAtespaces, EmptyRequest()).names)
        case "worker": .workers(try await context.call(ControlMethods.listWorkers, EmptyRequest()).workers)
        case "pool": .pools(try await context.call(ResourcesMethods.listPools, EmptyRequest()).pools)
        default: .templates(try await context.call(ResourcesMethods.listTemplates, EmptyRequest()).templates)
        }
    }

    private static func one(_ kind: String, _ name: String, _ context: CommandContext) async throws -> Listing {
        switch kind {
        case "actor":
            let ref = ActorRef(atespace: context.atespace, name: name)
            return .actors([try await context.call(ControlMethods.getActor, GetActorRequest(actor: ref)).actor])
        case "atespace":
            return .atespaces([try await context.call(ControlMethods.getAtespace, AtespaceRequest(name: name)).name])
        case "worker":
            let workers = try await context.call(ControlMethods.listWorkers, EmptyRequest()).workers
            let found = workers.filter { $0.ref.pod == name || "\($0.ref)" == name }
            if found.isEmpty { throw CommandError("Worker \(name) not found") }
            return .workers(found)
        case "pool":
            let (namespace, name) = try CommandContext.pair(name, "pool")
            let request = NamedRequest(namespace: namespace, name: name)
            return .pools([try await context.call(ResourcesMethods.getPool, request).pool])
        default:
            let (namespace, name) = try CommandContext.pair(name, "template")
            let request = NamedRequest(namespace: namespace, name: name)
            return .templates([try await context.call(ResourcesMethods.getTemplate, request).template])
        }
    }

    /// All pages.
    private static func actors(in atespace: String, _ context: CommandContext) async throws -> [ActorInfo] {
        var actors: [ActorInfo] = []
        var request = ListActorsRequest(atespace: atespace)
        repeat {
            let response = try await context.call(ControlMethods.listActors, request)
            actors += response.actors
            request.pageToken = response.nextPageToken
        } while !request.pageToken.isEmpty
        return actors
    }
}
