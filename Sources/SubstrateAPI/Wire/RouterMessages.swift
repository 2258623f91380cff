internal import CMessages
package import GRPC
internal import Protobuf
internal import SubstrateModel

extension ReportServedRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__ReportServedRequest.self) { request in
            ReportServedRequest(
                workers: try map(request.workers, count: request.n_workers) { worker in
                    let pool = PoolRef(
                        namespace: try worker.worker_namespace.text("worker_namespace"),
                        name: try worker.worker_pool.text("worker_pool"))
                    return ServedWorker(
                        ref: WorkerRef(pool: pool, pod: try worker.worker_pod.text("worker_pod")),
                        uid: try worker.worker_pod_uid.text("worker_pod_uid"))
                })
        }
    }

    package var message: Message {
        Message.packing(Substrate__ReportServedRequest.self) { request, arena in
            (request.n_workers, request.workers) = arena.repeated(workers) { worker, message in
                message.worker_namespace = arena.bytes(worker.ref.pool.namespace)
                message.worker_pool = arena.bytes(worker.ref.pool.name)
                message.worker_pod = arena.bytes(worker.ref.pod)
                message.worker_pod_uid = arena.bytes(worker.uid)
            }
        }
    }
}
