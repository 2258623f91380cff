internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel

/// `get`: all objects of a kind, or one by name; with `-w` also what becomes of them.
enum Get {
    static let command = Command(
        words: ["get"], aliases: ["list"], summary: "shows actors, atespaces, workers, pools or templates",
        details: """
            With -w it goes on with a line for each change, until it is interrupted; as json or yaml with a document for each, which
            says whether the object was ADDED, MODIFIED or DELETED. When the connection breaks it is made again, and nothing is
            missed or told twice.
            """,
        examples: [
            "get actors -A -w", "get actor alice -a team -o yaml", "get workers -o wide",
            "get pools -l 'size in (small,medium),!spot'", "get templates -o name",
        ],
        flags: { flags in
            SharedFlags.atespace(&flags)
            flags.toggle("all-atespaces", short: "A", help: "Actors of all atespaces.")
            SharedFlags.namespace(&flags)
            flags.text(
                "selector", "CONDITIONS", short: "l",
                help:
                    "Only what has these labels: key=value, key!=value, key in (a,b), key notin (a,b), key, !key, with commas between them. An actor's labels are those of its worker selector; workers and atespaces have none."
            )
            flags.toggle("watch", short: "w", help: "Go on with every change. Of actors and workers.")
            SharedFlags.output(&flags)
            SharedFlags.timeout(&flags)
        },
        action: .objects(ResourceKind.shown) { kind, name, invocation in
            let reader = ResourceReader(api: try APIClient(invocation))
            let query = try Query(kind, name, invocation)
            switch kind {
            case .actor: try await actors(query, reader)
            case .worker: try await workers(query, reader)
            case .atespace: try await atespaces(query, reader)
            case .pool: try await pools(query, reader)
            case .template: try await templates(query, reader)
            // Not among those that can be shown.
            case .node: break
            }
        })

    private static func actors(_ query: Query, _ reader: ResourceReader) async throws {
        let atespace = query.invocation.isEverywhere ? "" : query.invocation.atespace
        if query.isWatch {
            try await query.watch(.actors, reader.api, reader.api.watchActors(in: atespace)) { actor in
                query.name == nil || query.name == actor.ref.name
            }
        } else if let name = query.name {
            try query.show(.actors, [try await reader.actor(ActorRef(atespace: atespace, name: name))])
        } else {
            try query.show(.actors, try await reader.actors(in: atespace))
        }
    }

    private static func workers(_ query: Query, _ reader: ResourceReader) async throws {
        let isWanted = { (worker: WorkerInfo) in
            query.takes(namespace: worker.ref.pool.namespace)
                && (query.name.map { worker.ref.answers(to: $0) } ?? true)
        }
        if query.isWatch {
            try await query.watch(.workers, reader.api, reader.api.watchWorkers(), isWanted)
        } else if let name = query.name {
            try query.show(.workers, try await reader.workers(named: name, in: query.namespace))
        } else {
            try query.show(.workers, try await reader.workers().filter(isWanted))
        }
    }

    private static func atespaces(_ query: Query, _ reader: ResourceReader) async throws {
        if let name = query.name {
            try query.show(.atespaces, [try await reader.atespace(name)])
        } else {
            try query.show(.atespaces, try await reader.atespaces())
        }
    }

    private static func pools(_ query: Query, _ reader: ResourceReader) async throws {
        if let pair = try query.pair {
            try query.show(.pools, [try await reader.pool(pair.namespace, pair.name)])
        } else {
            try query.show(.pools, try await reader.pools().filter { query.takes(namespace: $0.ref.namespace) })
        }
    }

    private static func templates(_ query: Query, _ reader: ResourceReader) async throws {
        if let pair = try query.pair {
            try query.show(.templates, [try await reader.template(pair.namespace, pair.name)])
        } else {
            try query.show(.templates, try await reader.templates().filter { query.takes(namespace: $0.ref.namespace) })
        }
    }
}
