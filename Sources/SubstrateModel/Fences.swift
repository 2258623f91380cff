// The three fences of the control plane. All are revisions of etcd, so they only grow.

/// Tells a worker from an earlier one of the same name: the create revision of its presence.
package struct Incarnation: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let revision: Int64

    package init(_ revision: Int64) { self.revision = revision }

    package var description: String { "\(revision)" }

    package static func < (left: Incarnation, right: Incarnation) -> Bool { left.revision < right.revision }
}

/// Names one claim of a worker by an actor, and orders all claims: the create revision of the binding.
package struct Epoch: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let revision: Int64

    package init(_ revision: Int64) { self.revision = revision }

    package var description: String { "\(revision)" }

    package static func < (left: Epoch, right: Epoch) -> Bool { left.revision < right.revision }
}

/// Names one workflow: the create revision of its operation.
package struct OperationToken: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let revision: Int64

    package init(_ revision: Int64) { self.revision = revision }

    package var description: String { "\(revision)" }

    package static func < (left: OperationToken, right: OperationToken) -> Bool { left.revision < right.revision }
}

/// One stay of an actor on a worker: on which incarnation of it, and under which claim.
package struct Stay: Hashable, Sendable {
    package var incarnation: Incarnation
    package var epoch: Epoch

    package init(incarnation: Incarnation, epoch: Epoch) {
        self.incarnation = incarnation
        self.epoch = epoch
    }
}

/// What a call to a node carries: for which worker it is meant, under which claim, and on behalf of which workflow.
package struct Fences: Hashable, Sendable {
    package var incarnation: Incarnation
    package var epoch: Epoch
    package var operation: OperationToken

    package init(incarnation: Incarnation, epoch: Epoch, operation: OperationToken) {
        self.incarnation = incarnation
        self.epoch = epoch
        self.operation = operation
    }

    package var stay: Stay { Stay(incarnation: incarnation, epoch: epoch) }
}

/// A node's statement about one epoch of one of its workers.
package struct Receipt: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        /// The actor runs.
        case running
        /// Nothing runs under the epoch, and nothing ever will again.
        case notRunning
        /// The snapshot is complete, the actor stopped, the epoch burned.
        case checkpointed(Snapshot)
        /// Starting or checkpointing: ask again.
        case busy
        /// As `notRunning`, because the node does not have the local snapshot that it was to start from.
        case noSnapshot
    }

    package var epoch: Epoch
    package var state: State
    /// Where the actor listens: with `running`, and with nothing else.
    package var address: ActorAddress?

    package init(epoch: Epoch, state: State, address: ActorAddress? = nil) {
        self.epoch = epoch
        self.state = state
        self.address = address
    }
}
