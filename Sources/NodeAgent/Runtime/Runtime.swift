package import GRPC
package import SubstrateAPI
package import SubstrateModel

/// How actors are run: started, checkpointed, killed.
package protocol Runtime: Sendable {
    /// The kind of sandbox that its workers offer.
    var sandboxClass: SandboxClass { get }

    /// Where local snapshots lie. `start` and `checkpoint` have to take their URIs like those of external ones.
    var localSnapshots: LocalSnapshots { get }

    /// Kills every sandbox that an earlier agent with the same state directory has left behind, and removes its files.
    func killLeftovers() async throws

    /// Where somebody is connected to an actor, or has just begun to connect. One look, at all actors of the node.
    /// - Throws: `RuntimeFailure`.
    func connectedAddresses() async throws(RuntimeFailure) -> Set<ActorAddress>

    /// Starts an actor and returns when it is ready. When it throws, or its task is cancelled, nothing of the activation is
    /// left behind.
    /// - Throws: `RuntimeFailure`.
    func start(_ activation: Activation) async throws(RuntimeFailure) -> any Sandbox
}

/// A running actor.
package protocol Sandbox: Sendable {
    /// Waits until it has ended, by itself or by being killed; returns how, or nil when the task is cancelled first.
    func waitForEnd() async -> String?

    /// Whether it has ended.
    var hasEnded: Bool { get }

    /// Writes the snapshot and ends the actor. When it throws, the actor goes on as if nothing had happened, unless it has
    /// ended by itself.
    /// - Parameter condition: asked when the actor does not move any more, and again before it is ended; what it throws makes
    ///   the actor go on.
    /// - Throws: `RuntimeFailure`.
    func checkpoint(to snapshot: SnapshotURI, if condition: CheckpointCondition?) async throws(RuntimeFailure)

    /// Kills it at once, in whatever it is, and does not wait for its end. A checkpoint that is being written may still be
    /// completed: what it reads changes no more.
    func terminate()

    /// Kills it, and returns when it has ended and nothing of it is left.
    func kill() async
}

/// What has to hold for an actor to be ended by a checkpoint.
package typealias CheckpointCondition = @Sendable () async throws(RuntimeFailure) -> Void

/// One start of an actor on a worker.
package struct Activation: Sendable {
    /// The worker's pod name, which is also that of its directory.
    package var pod: String
    package var epoch: Epoch
    package var workload: Workload
    /// Where the actor has to listen.
    package var address: ActorAddress
    /// What to start from; nil for the first time.
    package var snapshot: SnapshotURI?
    /// Where what it writes goes. The runtime ends it once the actor has ended and its last words are in it; when the start
    /// fails the caller does.
    package var output: ActorOutput

    package init(
        pod: String, epoch: Epoch, workload: Workload, address: ActorAddress, snapshot: SnapshotURI?,
        output: ActorOutput
    ) {
        self.pod = pod
        self.epoch = epoch
        self.workload = workload
        self.address = address
        self.snapshot = snapshot
        self.output = output
    }
}

/// Why an actor could not be started or checkpointed: said to the caller of the resume or suspend.
package struct RuntimeFailure: Error, Sendable, CustomStringConvertible {
    package var code: StatusCode
    package var reason: String
    /// Whether the reason is that this node does not have the local snapshot to start from.
    package var isSnapshotMissing = false

    package init(_ code: StatusCode, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    package var description: String { reason }
}
