internal import CMessages
package import GRPC
internal import Protobuf
internal import SubstrateModel

extension WorkerInfo {
    func fill(_ message: inout Ateapi__Worker, _ arena: Arena) {
        message.worker_namespace = arena.bytes(ref.pool.namespace)
        message.worker_pool = arena.bytes(ref.pool.name)
        message.worker_pod = arena.bytes(ref.pod)
        message.worker_pod_uid = arena.bytes(uid)
        message.node_name = arena.bytes(node)
        message.ip = arena.bytes(ip)
        message.port = Int32(clamping: port)
        message.version = version
        message.actor_ready = isActorReady ? 1 : 0
        message.draining_until_ms = drainingUntilMilliseconds ?? 0
        message.router_address = arena.bytes(routerAddress ?? "")
        if let actor {
            message.actor_id = arena.bytes(actor.name)
            message.actor_atespace = arena.bytes(actor.atespace)
        }
        if let template {
            message.actor_namespace = arena.bytes(template.namespace)
            message.actor_template = arena.bytes(template.name)
        }
    }

    init(_ message: borrowing Ateapi__Worker) throws {
        let pool = PoolRef(
            namespace: try message.worker_namespace.text("worker_namespace"),
            name: try message.worker_pool.text("worker_pool"))
        let actor = ActorRef(
            atespace: try message.actor_atespace.text("actor_atespace"), name: try message.actor_id.text("actor_id"))
        let template = TemplateRef(
            namespace: try message.actor_namespace.text("actor_namespace"),
            name: try message.actor_template.text("actor_template"))
        self.init(
            ref: WorkerRef(pool: pool, pod: try message.worker_pod.text("worker_pod")),
            uid: try message.worker_pod_uid.text("worker_pod_uid"), node: try message.node_name.text("node_name"),
            ip: try message.ip.text("ip"), port: Int(message.port), version: message.version,
            actor: actor.name.isEmpty ? nil : actor, template: template.name.isEmpty ? nil : template,
            isActorReady: message.actor_ready != 0,
            drainingUntilMilliseconds: message.draining_until_ms == 0 ? nil : message.draining_until_ms,
            routerAddress: try message.router_address.nonEmptyText("router_address"))
    }
}

extension ListWorkersResponse: WireMessage {
    package init(_ message: Message) throws {
        workers = try message.unpack(Ateapi__ListWorkersResponse.self) { response in
            try map(response.workers, count: response.n_workers) { try WorkerInfo($0) }
        }
    }

    package var message: Message {
        Message.packing(Ateapi__ListWorkersResponse.self) { response, arena in
            (response.n_workers, response.workers) = arena.repeated(workers) { $0.fill(&$1, arena) }
        }
    }
}
