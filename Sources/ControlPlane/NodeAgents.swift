package import SubstrateAPI
package import SubstrateModel

/// The nodes, as the control plane sees them. `address` is what the worker's presence says.
///
/// What a call throws may come with a receipt: then the node has said for certain what became of the epoch. Without one
/// nothing is known, not even whether the call will not arrive later.
package protocol NodeAgents: Sendable {
    func run(_ request: RunRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt
    func restore(_ request: RestoreRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt
    func checkpoint(_ request: CheckpointRequest, _ fences: Fences, at address: String) async throws(NodeFailure)
        -> Receipt
    /// Moves the worker's fence past the operation, which can act no more after this.
    func status(_ request: StatusRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt
    func stop(_ request: StopRequest, _ fences: Fences, at address: String) async throws(NodeFailure) -> Receipt
    /// Tells the node which actors have been asked to serve, and asks how long others have been idle.
    func activity(_ request: ActivityRequest, at address: String) async throws(NodeFailure) -> ActivityResponse
    /// Removes an external snapshot that nobody names any more; any node will do that has its location. Once it has returned,
    /// nothing of the snapshot is left.
    func deleteSnapshot(_ request: DeleteSnapshotRequest, at address: String) async throws(NodeFailure)

    /// What the actor of a stay has written and, if the request says so, what it writes until the stay is over.
    func logs(
        _ request: NodeLogsRequest, _ stay: Stay, at address: String
    ) async throws(NodeFailure) -> any ActorOutputStream
}

/// The output of an actor, as its node tells it. Ends when it is let go of.
package protocol ActorOutputStream: Sendable {
    /// The next lines, nil at the end. For one task at a time; cancelling it ends the stream.
    func next() async throws(NodeFailure) -> LogLines?
}
