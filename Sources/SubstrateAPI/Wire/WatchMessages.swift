internal import CMessages
package import GRPC
internal import Protobuf
internal import SubstrateModel

extension WatchActorsRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__WatchActorsRequest.self) {
            WatchActorsRequest(atespace: try $0.atespace.text("atespace"), afterRevision: $0.after_revision)
        }
    }

    package var message: Message {
        Message.packing(Substrate__WatchActorsRequest.self) { request, arena in
            request.atespace = arena.bytes(atespace)
            request.after_revision = afterRevision
        }
    }
}

extension ActorsUpdate: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__WatchActorsResponse.self) { response in
            ActorsUpdate(
                revision: response.revision, isReset: response.reset != 0,
                actors: try map(response.actors, count: response.n_actors) { try ActorInfo($0) },
                deleted: try map(response.deleted, count: response.n_deleted) { try ActorRef($0) })
        }
    }

    package var message: Message {
        Message.packing(Substrate__WatchActorsResponse.self) { response, arena in
            response.revision = revision
            response.reset = isReset ? 1 : 0
            (response.n_actors, response.actors) = arena.repeated(actors) { $0.fill(&$1, arena) }
            (response.n_deleted, response.deleted) = arena.repeated(deleted) { $0.fill(&$1, arena) }
        }
    }
}

extension WatchWorkersRequest: WireMessage {
    package init(_ message: Message) throws {
        afterRevision = try message.unpack(Substrate__WatchWorkersRequest.self) { $0.after_revision }
    }

    package var message: Message {
        Message.packing(Substrate__WatchWorkersRequest.self) { request, _ in request.after_revision = afterRevision }
    }
}

extension WorkersUpdate: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__WatchWorkersResponse.self) { response in
            WorkersUpdate(
                revision: response.revision, isReset: response.reset != 0,
                workers: try map(response.workers, count: response.n_workers) { try WorkerInfo($0) },
                deleted: try map(response.deleted, count: response.n_deleted) { worker in
                    WorkerRef(
                        pool: PoolRef(
                            namespace: try worker.worker_namespace.text("worker_namespace"),
                            name: try worker.worker_pool.text("worker_pool")),
                        pod: try worker.worker_pod.text("worker_pod"))
                })
        }
    }

    package var message: Message {
        Message.packing(Substrate__WatchWorkersResponse.self) { response, arena in
            response.revision = revision
            response.reset = isReset ? 1 : 0
            (response.n_workers, response.workers) = arena.repeated(workers) { $0.fill(&$1, arena) }
            (response.n_deleted, response.deleted) = arena.repeated(deleted) { ref, worker in
                worker.worker_namespace = arena.bytes(ref.pool.namespace)
                worker.worker_pool = arena.bytes(ref.pool.name)
                worker.worker_pod = arena.bytes(ref.pod)
            }
        }
    }
}
