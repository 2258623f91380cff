package import SubstrateModel

/// The methods of `substrate.Operator`.
package enum OperatorMethods {
    package static let releaseHold = RPC<ReleaseHoldRequest, ActorResponse>("/substrate.Operator/ReleaseHold")
    package static let drain = RPC<DrainRequest, DrainResponse>("/substrate.Operator/Drain")
    package static let undrain = RPC<UndrainRequest, DrainResponse>("/substrate.Operator/Undrain")
}

package struct ReleaseHoldRequest: Sendable, Equatable {
    package var actor: ActorRef

    package init(actor: ActorRef) { self.actor = actor }
}

/// Which workers a drain is for, as a client names them.
package enum DrainScope: Sendable, Equatable {
    case worker(WorkerRef)
    /// The workers of the agent of this name; of every pool that has such a node unless one is named.
    case node(String, PoolRef?)
}

package struct DrainRequest: Sendable, Equatable {
    /// Nil when the client named nothing, or both a worker and a node.
    package var target: DrainScope?
    /// Nil for the default.
    package var grace: Duration?

    package init(target: DrainScope?, grace: Duration? = nil) {
        self.target = target
        self.grace = grace
    }
}

package struct UndrainRequest: Sendable, Equatable {
    /// As in `DrainRequest`.
    package var target: DrainScope?

    package init(target: DrainScope?) { self.target = target }
}

package struct DrainResponse: Sendable, Equatable {
    /// The workers concerned, as they were when the order was stored.
    package var workers: [WorkerInfo]

    package init(workers: [WorkerInfo]) { self.workers = workers }
}
