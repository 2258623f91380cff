internal import ControlPlane
internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel

extension ControlServices {
    /// Passed on to the nodes, with what this replica has heard otherwise.
    @Sendable func reportServed(_ request: ReportServedRequest) async throws -> EmptyResponse {
        guard request.workers.count <= ReportServedRequest.maximumWorkers else {
            throw Status.invalid("more than \(ReportServedRequest.maximumWorkers) workers in one report")
        }
        for worker in request.workers {
            try Validation.require(worker.ref.pool.namespace, "worker_namespace")
            try Validation.require(worker.ref.pool.name, "worker_pool")
            try Validation.require(worker.ref.pod, "worker_pod")
            try Validation.require(worker.uid, "worker_pod_uid")
        }
        for worker in request.workers { control.noteServed(worker.ref, uid: worker.uid) }
        return EmptyResponse()
    }
}
