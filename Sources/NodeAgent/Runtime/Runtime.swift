package import GRPC
package import SubstrateAPI
package import SubstrateModel

/// How actors are run: started, checkpointed, killed.
package protocol Runtime: Sendable {
    /// The kind of sandbox that its workers offer.
    var sandboxClass: SandboxClass { get }

    /// Where local snapshots lie. `start` and `checkpoint` have to take their URIs like those of external ones.
    var localSnapshotStore: any LocalSnapshotStore { get }

    /// Kills every sandbox that was left behind with the same state directory, by an earlier agent or under an earlier lease,
    /// and removes their files. When it returns nothing of them runs.
    func killLeftovers() async throws

    /// Where somebody is connected to an actor, or has just begun to connect. One look, at all actors of the node.
    /// - Throws: `RuntimeFailure`.
    func connectedAddresses() async throws(RuntimeFailure) -> Set<ActorAddress>

    /// Starts an actor and returns when it is ready. When it throws, or its task is cancelled, nothing of the activation is
    /// left behind. However long it takes until then, the activation's `permit` is asked right before anything runs.
    /// - Throws: `RuntimeFailure`.
    func start(_ activation: Activation) async throws(RuntimeFailure) -> any Sandbox

    /// Starts something trivial, in the way in which an actor would be, and stops it: whether anything can run on the worker
    /// at all. To be called while nothing does.
    /// - Parameter address: where it may listen; nil while the node has no address to give.
    /// - Throws: `RuntimeFailure` with what is wrong with the worker.
    func selfTest(pod: String, address: ActorAddress?) async throws(RuntimeFailure)

    /// Returns when everything has answered that a start or a stop needs, or the task is cancelled: that it is not stuck.
    /// What is under way meanwhile, however slow, must not delay it.
    func answer() async

    /// How often `keepUp` is to be called while workers are offered; nil for never.
    var upkeepInterval: Duration? { get }

    /// Puts right what others have changed on the machine and actors depend on.
    func keepUp() async
}

extension Runtime {
    package var upkeepInterval: Duration? { nil }
    package func keepUp() async {}
}

/// A running actor.
package protocol Sandbox: Sendable {
    /// Waits until it has ended, by itself or by being killed; returns how, or nil when the task is cancelled first.
    func waitForEnd() async -> String?

    /// Whether it has ended.
    var hasEnded: Bool { get }

    /// Whether its processes have to run just now although a snapshot is written, because it is they who write it. Otherwise
    /// they are what stands still.
    var runsDuringCheckpoint: Bool { get }

    /// Writes the snapshot and ends the actor. When it throws, the actor is as it was, unless it has ended by itself, but
    /// stands still until the watchdog lets it go on.
    /// - Parameters:
    ///   - content: with memory, or the durable directory alone.
    ///   - condition: asked when the actor does not move any more, and again before it is ended; what it throws is what this
    ///     throws.
    /// - Throws: `RuntimeFailure`.
    func checkpoint(
        to snapshot: SnapshotURI, _ content: SnapshotContent, if condition: CheckpointCondition?
    ) async throws(RuntimeFailure)

    /// Kills it at once, in whatever it is, and does not wait for its end. A checkpoint that is being written may still be
    /// completed: what it reads changes no more.
    func terminate()

    /// Kills it, and returns when it has ended and nothing of it is left.
    func kill() async
}

extension Sandbox {
    package var runsDuringCheckpoint: Bool { false }
}

/// What has to hold for an actor to be ended by a checkpoint.
package typealias CheckpointCondition = @Sendable () async throws(RuntimeFailure) -> Void

/// One start of an actor on a worker.
package struct Activation: Sendable {
    /// The worker's pod name, which is also that of its directory.
    package var pod: String
    package var epoch: Epoch
    package var workload: Workload
    /// Where the actor has to listen: an address that no other activation has.
    package var address: ActorAddress
    /// What to start from; nil for the first time.
    package var snapshot: SnapshotURI?
    /// Where what it writes goes. The runtime ends it once the actor has ended and its last words are in it; when the start
    /// fails the caller does.
    package var output: ActorOutput
    /// Returns when the actor may run, which can take as long as the node's lease is in doubt.
    package var permit: @Sendable () async throws(RuntimeFailure) -> Void
    /// Has the actor go on that its runtime has stopped in the middle of a checkpoint, as soon as it may run.
    package var resume: @Sendable () async throws(RuntimeFailure) -> Void

    package init(
        pod: String, epoch: Epoch, workload: Workload, address: ActorAddress, snapshot: SnapshotURI?,
        output: ActorOutput, permit: @escaping @Sendable () async throws(RuntimeFailure) -> Void = {},
        resume: @escaping @Sendable () async throws(RuntimeFailure) -> Void = {}
    ) {
        self.pod = pod
        self.epoch = epoch
        self.workload = workload
        self.address = address
        self.snapshot = snapshot
        self.output = output
        self.permit = permit
        self.resume = resume
    }

    package var id: ActivationID { ActivationID(pod: pod, epoch: epoch) }
}

/// Why an actor could not be started or checkpointed: said to the caller of the resume or suspend.
package struct RuntimeFailure: Error, Sendable, CustomStringConvertible {
    package var code: StatusCode
    package var reason: String
    /// Whether the reason is that this node does not have the local snapshot to start from.
    package var isSnapshotMissing = false
    /// Whether the worker may be the reason, so that no other actor could be started either: a self-test tells. The rest
    /// lies in what the actor brings along, or in the claim.
    package var mayLieInWorker: Bool

    package init(_ code: StatusCode, _ reason: String, mayLieInWorker: Bool = false) {
        self.code = code
        self.reason = reason
        self.mayLieInWorker = mayLieInWorker
    }

    package var description: String { reason }
}
