package import SubstrateModel

/// The methods of `substrate.Resources`.
package enum ResourcesMethods {
    package static let applyPool = RPC<PoolMessage, PoolMessage>("/substrate.Resources/ApplyWorkerPool")
    package static let getPool = RPC<NamedRequest, PoolMessage>("/substrate.Resources/GetWorkerPool")
    package static let listPools = RPC<EmptyRequest, ListPoolsResponse>("/substrate.Resources/ListWorkerPools")
    package static let deletePool = RPC<NamedRequest, EmptyResponse>("/substrate.Resources/DeleteWorkerPool")
    package static let applyTemplate = RPC<TemplateMessage, TemplateMessage>("/substrate.Resources/ApplyActorTemplate")
    package static let getTemplate = RPC<NamedRequest, TemplateMessage>("/substrate.Resources/GetActorTemplate")
    package static let listTemplates = RPC<EmptyRequest, ListTemplatesResponse>(
        "/substrate.Resources/ListActorTemplates")
    package static let deleteTemplate = RPC<NamedRequest, EmptyResponse>("/substrate.Resources/DeleteActorTemplate")
}

/// A request or response that holds one pool.
package struct PoolMessage: Sendable, Equatable {
    package var pool: WorkerPool

    package init(pool: WorkerPool) { self.pool = pool }
}

/// A request or response that holds one template.
package struct TemplateMessage: Sendable, Equatable {
    package var template: ActorTemplate

    package init(template: ActorTemplate) { self.template = template }
}

/// A request that names one resource.
package struct NamedRequest: Sendable, Equatable {
    package var namespace: String
    package var name: String

    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }
}

package struct ListPoolsResponse: Sendable, Equatable {
    package var pools: [WorkerPool]

    package init(pools: [WorkerPool]) { self.pools = pools }
}

package struct ListTemplatesResponse: Sendable, Equatable {
    package var templates: [ActorTemplate]

    package init(templates: [ActorTemplate]) { self.templates = templates }
}
