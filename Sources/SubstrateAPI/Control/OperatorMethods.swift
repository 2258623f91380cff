package import SubstrateModel

/// The methods of `substrate.Operator`.
package enum OperatorMethods {
    package static let releaseHold = RPC<ReleaseHoldRequest, ActorResponse>("/substrate.Operator/ReleaseHold")
}

package struct ReleaseHoldRequest: Sendable, Equatable {
    package var actor: ActorRef

    package init(actor: ActorRef) { self.actor = actor }
}
