internal import CMessages
package import GRPC
internal import Protobuf
internal import ServiceKit
internal import SubstrateModel

extension DrainScope {
    /// Nil unless exactly one of the two is set.
    fileprivate init?(
        _ worker: UnsafeMutablePointer<Substrate__WorkerTarget>?, _ node: UnsafeMutablePointer<Substrate__NodeTarget>?
    ) throws {
        switch (worker?.pointee, node?.pointee) {
        case (let worker?, nil):
            let pool = PoolRef(
                namespace: try worker.worker_namespace.text("worker_namespace"),
                name: try worker.worker_pool.text("worker_pool"))
            self = .worker(WorkerRef(pool: pool, pod: try worker.worker_pod.text("worker_pod")))
        case (nil, let node?):
            let pool = PoolRef(
                namespace: try node.worker_namespace.text("worker_namespace"),
                name: try node.worker_pool.text("worker_pool"))
            let isAnyPool = pool.namespace.isEmpty && pool.name.isEmpty
            self = .node(try node.node_name.text("node_name"), isAnyPool ? nil : pool)
        case (nil, nil), (_?, _?): return nil
        }
    }

    fileprivate func fill(
        _ workerTarget: inout UnsafeMutablePointer<Substrate__WorkerTarget>?,
        _ nodeTarget: inout UnsafeMutablePointer<Substrate__NodeTarget>?, _ arena: Arena
    ) {
        switch self {
        case .worker(let ref):
            workerTarget = arena.message { target in
                target.worker_namespace = arena.bytes(ref.pool.namespace)
                target.worker_pool = arena.bytes(ref.pool.name)
                target.worker_pod = arena.bytes(ref.pod)
            }
        case .node(let name, let pool):
            nodeTarget = arena.message { target in
                target.node_name = arena.bytes(name)
                target.worker_namespace = arena.bytes(pool?.namespace ?? "")
                target.worker_pool = arena.bytes(pool?.name ?? "")
            }
        }
    }
}

extension DrainRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__DrainRequest.self) { request in
            DrainRequest(
                target: try DrainScope(request.worker, request.node),
                grace: request.grace_ms == 0 ? nil : .milliseconds(request.grace_ms))
        }
    }

    package var message: Message {
        Message.packing(Substrate__DrainRequest.self) { request, arena in
            target?.fill(&request.worker, &request.node, arena)
            // Nothing at all cannot be said on the wire, so the shortest time there is.
            if let grace { request.grace_ms = max(1, grace.wholeMilliseconds) }
        }
    }
}

extension UndrainRequest: WireMessage {
    package init(_ message: Message) throws {
        target = try message.unpack(Substrate__UndrainRequest.self) { try DrainScope($0.worker, $0.node) }
    }

    package var message: Message {
        Message.packing(Substrate__UndrainRequest.self) { request, arena in
            target?.fill(&request.worker, &request.node, arena)
        }
    }
}

extension DrainResponse: WireMessage {
    package init(_ message: Message) throws {
        workers = try message.unpack(Substrate__DrainResponse.self) { response in
            try map(response.workers, count: response.n_workers) { try WorkerInfo($0) }
        }
    }

    package var message: Message {
        Message.packing(Substrate__DrainResponse.self) { response, arena in
            (response.n_workers, response.workers) = arena.repeated(workers) { $0.fill(&$1, arena) }
        }
    }
}
