package import Etcd
package import SubstrateModel

/// A worker that was bound when it was lost.
package struct Loss: Sendable {
    package enum Cause: String, Sendable {
        /// Its presence is gone: its node has died, hangs, or is cut off.
        case gone
        /// There is another presence under its name: its node was restarted, or has registered it anew.
        case replaced
    }

    package var worker: WorkerRef
    package var actor: ActorRef
    package var cause: Cause
    /// Unix time in milliseconds at which this replica saw it.
    package var seenAtMilliseconds: Int64
    /// Measures from then on.
    package var since: Stopwatch
    /// How long its binding stayed after that; nil while it is there.
    package var duration: Duration?
}

/// The losses of workers as this replica has seen them, whoever has released them.
package struct LossLog: Sendable {
    /// Those that have not been released yet.
    package private(set) var open: [WorkerRef: Loss] = [:]
    /// The last ones that have been, the newest first.
    package private(set) var released: [Loss] = []

    package static let length = 100

    package init() {}

    mutating func begin(_ loss: Loss) { open[loss.worker] = loss }

    mutating func end(_ worker: WorkerRef) {
        guard var loss = open.removeValue(forKey: worker) else { return }
        loss.duration = loss.since.elapsed()
        released.insert(loss, at: 0)
        if released.count > Self.length { released.removeLast() }
    }
}
