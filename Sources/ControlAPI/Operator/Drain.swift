internal import ControlPlane
internal import GRPC
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    /// Stores the order, which the node's agent finds; whether it has, `draining_until_ms` of its workers says.
    @Sendable func drain(_ request: DrainRequest) async throws -> DrainResponse {
        let scope = try Validation.target(request.target)
        let grace = request.grace ?? DrainOrder.defaultGrace
        guard grace > .zero, grace <= DrainOrder.maximumGrace else {
            throw Status.invalid("grace_ms must be between 1 and \(Int(DrainOrder.maximumGrace / .milliseconds(1)))")
        }
        let listing = try await store.listWorkers()
        let targets = targets(of: scope, listing)
        if targets.isEmpty { throw scope.notFound }
        let order = DrainOrder(
            graceMilliseconds: Int64(grace / .milliseconds(1)),
            orderedAtMilliseconds: control.environment.wallClock())
        // For a node that is in several pools these are several writes; drained again, it gets those that are missing.
        for target in targets { try await store.drain(target, order) }
        return DrainResponse(workers: listing.workers { ref, node in targets.contains { $0.includes(ref, on: node) } })
    }

    /// Takes the order back.
    @Sendable func undrain(_ request: UndrainRequest) async throws -> DrainResponse {
        let scope = try Validation.target(request.target)
        let listing = try await store.listWorkers()
        let orders = try await store.listDrainOrders()
        var targets = targets(of: scope, listing)
        // The node may be away.
        targets += orders.keys.filter { scope.includes($0) && !targets.contains($0) }.sorted()
        if targets.isEmpty { throw scope.notFound }
        for target in targets where orders[target] != nil { _ = try await store.undrain(target) }
        if case .worker(let ref) = scope, let node = listing.live[ref]?.value.node,
            orders[.node(ref.pool, node)] != nil
        {
            throw Status.failedPrecondition(
                "worker \(ref) drains because all of node \(node.excerpt) does; undrain the node")
        }
        return DrainResponse(workers: listing.workers { ref, node in targets.contains { $0.includes(ref, on: node) } })
    }

    /// What the scope means for the workers there are; empty when there is no such worker or node.
    private func targets(of scope: DrainScope, _ listing: WorkerListing) -> [DrainTarget] {
        switch scope {
        case .worker(let ref): listing.live[ref] == nil && listing.bound[ref] == nil ? [] : [.worker(ref)]
        case .node(let name, let pool):
            Set(listing.live.filter { $1.value.node == name }.map(\.key.pool))
                .filter { pool == nil || $0 == pool }
                .sorted()
                .map { .node($0, name) }
        }
    }
}

extension DrainScope {
    fileprivate func includes(_ target: DrainTarget) -> Bool {
        switch (self, target) {
        case (.worker(let ref), .worker(let other)): ref == other
        case (.node(let name, let pool), .node(let otherPool, let otherName)):
            name == otherName && (pool == nil || pool == otherPool)
        case (.worker, .node), (.node, .worker): false
        }
    }

    fileprivate var notFound: Status {
        switch self {
        case .worker(let ref): .notFound("Worker \(ref) not found")
        case .node(let name, nil): .notFound("Node \(name.excerpt) not found: it offers no worker")
        case .node(let name, let pool?):
            .notFound("Node \(name.excerpt) not found: it offers no worker of pool \(pool)")
        }
    }
}

extension WorkerListing {
    /// Those that are live or bound, as clients see them; the node is empty for one that is not live.
    fileprivate func workers(where isWanted: (WorkerRef, _ node: String) -> Bool) -> [WorkerInfo] {
        Set(live.keys).union(bound.keys).sorted()
            .filter { isWanted($0, live[$0]?.value.node ?? "") }
            .map { WorkerInfo($0, WorkerRow(presence: live[$0], binding: bound[$0])) }
    }
}

extension Validation {
    /// Workers that are only looked up: a name that is not allowed cannot exist, and its order could not be a key.
    fileprivate static func target(_ target: DrainScope?) throws(Status) -> DrainScope {
        guard let target else { throw .invalid("either worker or node is required") }
        switch target {
        case .worker(let ref):
            try require(ref.pool.namespace, "worker_namespace")
            try require(ref.pool.name, "worker_pool")
            try require(ref.pod, "worker_pod")
            guard allows(ref.pool), NameRule.allows(ref.pod) else { throw target.notFound }
        case .node(let name, let pool):
            try require(name, "node_name")
            if let pool {
                try require(pool.namespace, "worker_namespace")
                try require(pool.name, "worker_pool")
            }
            guard NameRule.allows(name), pool.map(allows) ?? true else { throw target.notFound }
        }
        return target
    }

    private static func allows(_ pool: PoolRef) -> Bool {
        NameRule.allows(pool.namespace) && NameRule.allowsSubdomain(pool.name)
    }
}
