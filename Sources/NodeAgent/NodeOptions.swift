package import SubstrateModel

/// What an agent is told.
package struct NodeOptions: Sendable {
    package var node: String
    package var pool: PoolRef
    package var workerCount: Int
    /// What the addresses of actors are taken from; no other node may have one of them.
    package var addresses: AddressRange
    /// For how long after an actor its address is given to no other.
    package var addressRest: Duration
    /// Where the agent's API is reached, `host:port`.
    package var agentAddress: String
    /// Where the router of this machine takes requests of other machines' routers, `ip:port`; nil when all routers reach the
    /// actors themselves.
    package var routerAddress: String?
    package var labels: [String: String]
    /// How long the workers outlive an agent that has died.
    package var leaseTimeToLive: Duration
    /// How long before the lease can have expired the actors are frozen.
    package var leaseMargin: Duration
    /// How long to wait for the presence of another agent under a worker's name to go away.
    package var takeoverLimit: Duration
    /// How long a worker or the runtime may take no notice of what is asked of it before the lease is not renewed any more.
    package var progressLimit: Duration
    /// How often to look for local snapshots that no actor wants any more.
    package var collectionInterval: Duration
    /// For how long no actor has to have wanted one before it is removed.
    package var localSnapshotRetention: Duration = .zero

    package init(
        node: String, pool: PoolRef, workers: Int, addresses: AddressRange, addressRest: Duration = .seconds(60),
        agentAddress: String, routerAddress: String? = nil, labels: [String: String] = [:],
        leaseTimeToLive: Duration = .seconds(5), leaseMargin: Duration = .seconds(1),
        takeoverLimit: Duration = .seconds(30), progressLimit: Duration = .seconds(10),
        collectionInterval: Duration = .seconds(600)
    ) {
        self.node = node
        self.pool = pool
        workerCount = workers
        self.addresses = addresses
        self.addressRest = addressRest
        self.agentAddress = agentAddress
        self.routerAddress = routerAddress
        self.labels = labels
        self.leaseTimeToLive = leaseTimeToLive
        self.leaseMargin = leaseMargin
        self.takeoverLimit = takeoverLimit
        self.progressLimit = progressLimit
        self.collectionInterval = collectionInterval
    }

    /// The workers: `<node>-0`, `<node>-1`, ...
    package var workers: [WorkerRef] { (0..<workerCount).map { WorkerRef(pool: pool, pod: "\(node)-\($0)") } }

    /// Fewest addresses that so many workers need.
    package static func addressesNeeded(workers: Int) -> Int { workers * ActorAddresses.perWorker }
}
