internal import CMessages
internal import CProtobufC
internal import Protobuf
internal import SubstrateModel

// What has happened to an actor: fields of ours in its message.
extension ResumeFailure {
    func fill(_ message: inout Ateapi__ResumeFailure, _ arena: Arena) {
        message.worker_namespace = arena.bytes(worker.pool.namespace)
        message.worker_pool = arena.bytes(worker.pool.name)
        message.worker_pod = arena.bytes(worker.pod)
        message.code = code
        message.message = arena.bytes(self.message)
        message.at_ms = atMilliseconds
    }

    init(_ message: borrowing Ateapi__ResumeFailure) throws {
        self.init(
            worker: try WorkerRef(message.worker_namespace, message.worker_pool, message.worker_pod),
            code: message.code, message: try message.message.text("message"), atMilliseconds: message.at_ms)
    }
}

extension Recovery {
    func fill(_ message: inout Ateapi__WorkerLoss, _ arena: Arena) {
        message.worker_namespace = arena.bytes(worker.pool.namespace)
        message.worker_pool = arena.bytes(worker.pool.name)
        message.worker_pod = arena.bytes(worker.pod)
        message.status_before = statusBefore.wire
        message.released_at_ms = releasedAtMilliseconds
        message.next =
            switch next {
            case .request: ATEAPI__WORKER_LOSS__NEXT__NEXT_UNSPECIFIED
            case .resume: ATEAPI__WORKER_LOSS__NEXT__NEXT_RESUME
            case .hold: ATEAPI__WORKER_LOSS__NEXT__NEXT_HOLD
            }
    }

    init(_ message: borrowing Ateapi__WorkerLoss) throws {
        let status = message.status_before
        let next: Next =
            switch message.next {
            case ATEAPI__WORKER_LOSS__NEXT__NEXT_RESUME: .resume
            case ATEAPI__WORKER_LOSS__NEXT__NEXT_HOLD: .hold
            default: .request
            }
        self.init(
            worker: try WorkerRef(message.worker_namespace, message.worker_pool, message.worker_pod),
            statusBefore: ActorStatus.allCases.first { $0.wire == status } ?? .running,
            releasedAtMilliseconds: message.released_at_ms, next: next)
    }
}

extension FallbackInfo {
    func fill(_ message: inout Ateapi__SnapshotFallback, _ arena: Arena) {
        message.node = arena.bytes(node)
        message.snapshot_prefix = arena.bytes(prefix)
        message.reason = arena.bytes(reason)
        message.at_ms = atMilliseconds
    }

    init(_ message: borrowing Ateapi__SnapshotFallback) throws {
        self.init(
            node: try message.node.text("node"), prefix: try message.snapshot_prefix.text("snapshot_prefix"),
            reason: try message.reason.text("reason"), atMilliseconds: message.at_ms)
    }
}

extension WorkerRef {
    fileprivate init(
        _ namespace: ProtobufCBinaryData, _ pool: ProtobufCBinaryData, _ pod: ProtobufCBinaryData
    ) throws {
        self.init(
            pool: PoolRef(namespace: try namespace.text("worker_namespace"), name: try pool.text("worker_pool")),
            pod: try pod.text("worker_pod"))
    }
}
