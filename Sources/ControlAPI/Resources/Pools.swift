internal import ControlPlane
internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    @Sendable func applyPool(_ request: PoolMessage) async throws -> PoolMessage {
        var pool = request.pool
        pool.status = WorkerPool.Status()
        if let violation = ResourceRules.violation(of: pool) ?? PodSettings.violation(of: pool.podTemplate) {
            throw Status.invalid("WorkerPool \(pool.ref): \(violation)")
        }
        let stored = try await store.pool(pool.ref)
        if stored?.value != pool {
            guard try await store.putPool(pool, over: stored) else { throw Status.conflict }
        }
        return PoolMessage(pool: withStatus(pool, control.inventory.liveCounts))
    }

    @Sendable func getPool(_ request: NamedRequest) async throws -> PoolMessage {
        let ref = try poolRef(request)
        guard let pool = try await store.pool(ref) else { throw Status.notFound("WorkerPool \(ref) not found") }
        return PoolMessage(pool: withStatus(pool.value, control.inventory.liveCounts))
    }

    @Sendable func listPools(_ request: EmptyRequest) async throws -> ListPoolsResponse {
        let pools = try await store.listPools()
        let live = control.inventory.liveCounts
        return ListPoolsResponse(pools: pools.map { withStatus($0, live) })
    }

    private func withStatus(_ pool: WorkerPool, _ live: [PoolRef: Int]) -> WorkerPool {
        var pool = pool
        pool.status = WorkerPool.Status(replicas: live[pool.ref] ?? 0)
        return pool
    }

    @Sendable func deletePool(_ request: NamedRequest) async throws -> EmptyResponse {
        let ref = try poolRef(request)
        guard let pool = try await store.pool(ref) else { throw Status.notFound("WorkerPool \(ref) not found") }
        guard try await store.deletePool(pool) else { throw Status.conflict }
        return EmptyResponse()
    }

    private func poolRef(_ request: NamedRequest) throws(Status) -> PoolRef {
        try Validation.require(request.namespace, "namespace")
        try Validation.require(request.name, "name")
        let ref = PoolRef(namespace: request.namespace, name: request.name)
        guard NameRule.allows(ref.namespace), NameRule.allowsSubdomain(ref.name) else {
            throw .notFound("WorkerPool \(ref) not found")
        }
        return ref
    }
}
