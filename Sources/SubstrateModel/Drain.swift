/// Which workers are to take no actors any more.
package enum DrainTarget: Hashable, Sendable, Comparable, CustomStringConvertible {
    case worker(WorkerRef)
    /// All workers that the pool has of the node.
    case node(PoolRef, String)

    /// Whether the order is for this worker of that node.
    package func includes(_ worker: WorkerRef, on node: String) -> Bool {
        switch self {
        case .worker(let ref): ref == worker
        case .node(let pool, let name): pool == worker.pool && name == node
        }
    }

    package var pool: PoolRef {
        switch self {
        case .worker(let ref): ref.pool
        case .node(let pool, _): pool
        }
    }

    package var description: String {
        switch self {
        case .worker(let ref): "worker \(ref)"
        case .node(let pool, let name): "node \(name.excerpt) of pool \(pool)"
        }
    }

    package static func < (left: DrainTarget, right: DrainTarget) -> Bool {
        switch (left, right) {
        case (.worker(let left), .worker(let right)): left < right
        case (.worker, .node): true
        case (.node, .worker): false
        case (.node(let leftPool, let left), .node(let rightPool, let right)): (leftPool, left) < (rightPool, right)
        }
    }
}

/// What an operator wants of a drain: the value under `workers/drain/`. It is under no lease, so it holds until it is taken
/// back, whoever is restarted meanwhile.
package struct DrainOrder: Sendable, Equatable {
    /// How long actors have to be suspended, counted by the node from when it reads the order.
    package var graceMilliseconds: Int64
    /// Unix time in milliseconds by the clock of the replica that was told.
    package var orderedAtMilliseconds: Int64
    package var unknownFields = UnknownFields()

    package init(graceMilliseconds: Int64, orderedAtMilliseconds: Int64) {
        self.graceMilliseconds = graceMilliseconds
        self.orderedAtMilliseconds = orderedAtMilliseconds
    }

    package var grace: Duration { .milliseconds(graceMilliseconds) }

    /// Enough to write the snapshots of most actors, and within what service managers wait for a program that they stop.
    package static let defaultGrace: Duration = .seconds(30)
    /// A drain that is to take longer is better not begun.
    package static let maximumGrace: Duration = .seconds(24 * 3600)
}
