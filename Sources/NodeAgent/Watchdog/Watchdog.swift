package import Etcd
package import SubstrateModel

/// Freezes the actors of a node in time when its agent cannot, and is the only one that lets frozen ones go on: whoever
/// decides that a lease holds has to look at the clock again at the very moment, and the agent may have been stopped between.
package protocol Watchdog: Sendable {
    /// Begins to guard, unless it does already.
    /// - Throws: `WatchdogError`.
    func start() async throws

    /// Under a new lease, while nothing runs: lets actors run that long. False when the watchdog does not follow.
    func begin(_ hold: LeaseHold) async -> Bool

    /// Lets actors run longer, after a renewal in time. False when the time had passed: actors may be frozen, and stay so.
    func extend(_ hold: LeaseHold) -> Bool

    /// Freezes all actors now, whatever the time. Returns when none moves, as far as it is up to the agent.
    func freeze() async

    /// Lets these activations go on, and run that long. False when the time has passed, or the watchdog does not answer:
    /// then everything is or stays frozen.
    func thaw(_ activations: [ActivationID], _ hold: LeaseHold) async -> Bool

    /// Lets an activation go on that the agent has stopped itself, for a snapshot that came to nothing. False as for `thaw`.
    func resume(_ activation: ActivationID) async -> Bool

    /// Waits until actors are not guarded any more, and says why; nil when the task is cancelled first.
    func waitForFailure() async -> String?
}

/// One start of an actor on a node.
package struct ActivationID: Hashable, Sendable {
    /// The worker's pod name.
    package var pod: String
    package var epoch: Epoch

    package init(pod: String, epoch: Epoch) {
        self.pod = pod
        self.epoch = epoch
    }
}

/// How long the node's lease can be relied on.
package struct LeaseHold: Sendable {
    /// The lease's time to live without the margin.
    package var duration: Duration
    /// Started when the request was sent that granted or renewed it.
    package var sinceSent: Stopwatch

    package init(duration: Duration, sinceSent: Stopwatch) {
        self.duration = duration
        self.sinceSent = sinceSent
    }

    /// What is left of it; zero or less when it is over.
    package var left: Duration { duration - sinceSent.elapsed() }
}

/// Without a watchdog no actor may be started.
package struct WatchdogError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
