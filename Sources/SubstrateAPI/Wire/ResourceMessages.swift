internal import CMessages
package import GRPC
internal import Protobuf
internal import SubstrateModel

// Apply, its response and the response of Get all hold the resource in field 1.

extension PoolMessage: WireMessage {
    package init(_ message: Message) throws {
        pool = try message.unpack(Substrate__ApplyWorkerPoolRequest.self) { request in
            guard let pool = request.pool else {
                throw MalformedMessage(name: "substrate.ApplyWorkerPoolRequest", reason: "it holds no pool")
            }
            return try WorkerPool(pool.pointee)
        }
    }

    package var message: Message {
        Message.packing(Substrate__ApplyWorkerPoolRequest.self) { request, arena in
            request.pool = arena.message { pool.fill(&$0, arena) }
        }
    }
}

extension TemplateMessage: WireMessage {
    package init(_ message: Message) throws {
        template = try message.unpack(Substrate__ApplyActorTemplateRequest.self) { request in
            guard let template = request.template_ else {
                throw MalformedMessage(name: "substrate.ApplyActorTemplateRequest", reason: "it holds no template")
            }
            return try ActorTemplate(template.pointee)
        }
    }

    package var message: Message {
        Message.packing(Substrate__ApplyActorTemplateRequest.self) { request, arena in
            request.template_ = arena.message { template.fill(&$0, arena) }
        }
    }
}

extension NamedRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__GetWorkerPoolRequest.self) { request in
            NamedRequest(namespace: try request.namespace_.text("namespace"), name: try request.name.text("name"))
        }
    }

    package var message: Message {
        Message.packing(Substrate__GetWorkerPoolRequest.self) { request, arena in
            request.namespace_ = arena.bytes(namespace)
            request.name = arena.bytes(name)
        }
    }
}

extension ListPoolsResponse: WireMessage {
    package init(_ message: Message) throws {
        pools = try message.unpack(Substrate__ListWorkerPoolsResponse.self) { response in
            try map(response.pools, count: response.n_pools) { try WorkerPool($0) }
        }
    }

    package var message: Message {
        Message.packing(Substrate__ListWorkerPoolsResponse.self) { response, arena in
            (response.n_pools, response.pools) = arena.repeated(pools) { $0.fill(&$1, arena) }
        }
    }
}

extension ListTemplatesResponse: WireMessage {
    package init(_ message: Message) throws {
        templates = try message.unpack(Substrate__ListActorTemplatesResponse.self) { response in
            try map(response.templates, count: response.n_templates) { try ActorTemplate($0) }
        }
    }

    package var message: Message {
        Message.packing(Substrate__ListActorTemplatesResponse.self) { response, arena in
            (response.n_templates, response.templates) = arena.repeated(templates) { $0.fill(&$1, arena) }
        }
    }
}
