internal import CMessages
package import GRPC
internal import Protobuf
internal import ServiceKit
internal import SubstrateModel

extension ActivityRequest: WireMessage {
    package init(_ message: Message) throws {
        self = try message.unpack(Substrate__ActivityRequest.self) { request in
            ActivityRequest(
                served: try texts(request.served_ateom_uids, count: request.n_served_ateom_uids, "served_ateom_uids"),
                asked: try texts(request.asked_ateom_uids, count: request.n_asked_ateom_uids, "asked_ateom_uids"))
        }
    }

    package var message: Message {
        Message.packing(Substrate__ActivityRequest.self) { request, arena in
            (request.n_served_ateom_uids, request.served_ateom_uids) = arena.repeated(served)
            (request.n_asked_ateom_uids, request.asked_ateom_uids) = arena.repeated(asked)
        }
    }
}

extension ActivityResponse: WireMessage {
    package init(_ message: Message) throws {
        workers = try message.unpack(Substrate__ActivityResponse.self) { response in
            try map(response.workers, count: response.n_workers) { worker in
                WorkerActivity(
                    workerUID: try worker.ateom_uid.text("ateom_uid"), epoch: Epoch(worker.epoch),
                    idleness: .milliseconds(worker.idle_ms))
            }
        }
    }

    package var message: Message {
        Message.packing(Substrate__ActivityResponse.self) { response, arena in
            (response.n_workers, response.workers) = arena.repeated(workers) { worker, message in
                message.ateom_uid = arena.bytes(worker.workerUID)
                message.epoch = worker.epoch.revision
                message.idle_ms = worker.idleness.wholeMilliseconds
            }
        }
    }
}
