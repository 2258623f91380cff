internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel

/// Reads objects of every kind.
struct ResourceReader: Sendable {
    let api: APIClient

    /// All actors of an atespace, or with an empty one of all; page by page.
    func actors(in atespace: String) async throws -> [ActorInfo] {
        var actors: [ActorInfo] = []
        var request = ListActorsRequest(atespace: atespace)
        repeat {
            let response = try await api.call(ControlMethods.listActors, request)
            actors += response.actors
            guard response.nextPageToken != request.pageToken || response.nextPageToken.isEmpty else {
                throw CommandError("the API at \(api.channel.target) answers with the same page again and again")
            }
            request.pageToken = response.nextPageToken
        } while !request.pageToken.isEmpty
        return actors
    }

    func actor(_ ref: ActorRef) async throws -> ActorInfo {
        try await api.call(ControlMethods.getActor, GetActorRequest(actor: ref)).actor
    }

    func workers() async throws -> [WorkerInfo] {
        try await api.call(ControlMethods.listWorkers, EmptyRequest()).workers
    }

    /// The workers that a name may mean: a pod's, or `namespace/pool/pod`.
    func workers(named name: String, in namespace: String?) async throws -> [WorkerInfo] {
        let found = try await workers().filter {
            $0.ref.answers(to: name) && (namespace == nil || namespace == $0.ref.pool.namespace)
        }
        if found.isEmpty { throw CommandError("Worker \(name) not found") }
        return found
    }

    func atespaces() async throws -> [String] {
        try await api.call(ControlMethods.listAtespaces, EmptyRequest()).names
    }

    func atespace(_ name: String) async throws -> String {
        try await api.call(ControlMethods.getAtespace, AtespaceRequest(name: name)).name
    }

    func pools() async throws -> [WorkerPool] { try await api.call(ResourcesMethods.listPools, EmptyRequest()).pools }

    func pool(_ namespace: String, _ name: String) async throws -> WorkerPool {
        try await api.call(ResourcesMethods.getPool, NamedRequest(namespace: namespace, name: name)).pool
    }

    func templates() async throws -> [ActorTemplate] {
        try await api.call(ResourcesMethods.listTemplates, EmptyRequest()).templates
    }

    func template(_ namespace: String, _ name: String) async throws -> ActorTemplate {
        try await api.call(ResourcesMethods.getTemplate, NamedRequest(namespace: namespace, name: name)).template
    }
}

extension WorkerRef {
    /// Whether the name is the pod's, or `namespace/pool/pod`.
    func answers(to name: String) -> Bool { pod == name || description == name }
}
