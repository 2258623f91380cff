package import Etcd
internal import Synchronization

/// Whether the node's lease can be relied on: until a margin before it can have expired, counted from when the last
/// successful renewal was sent.
package final class LeaseClock: Sendable {
    private let limit: Duration
    private let sinceRenewal: Mutex<Stopwatch>
    private let isLost = Atomic<Bool>(false)

    /// - Parameter margin: what the agent needs to kill its actors in.
    package init(timeToLive: Duration, margin: Duration, sinceGrant: Stopwatch) {
        limit = timeToLive - margin
        sinceRenewal = Mutex(sinceGrant)
    }

    package var isGood: Bool {
        !isLost.load(ordering: .acquiring) && sinceRenewal.withLock { $0.elapsed() } < limit
    }

    /// A renewal has succeeded; `stopwatch` was started when it was sent.
    package func renewed(_ stopwatch: Stopwatch) { sinceRenewal.withLock { $0 = stopwatch } }

    /// The lease will not be renewed any more.
    package func lose() { isLost.store(true, ordering: .releasing) }
}
