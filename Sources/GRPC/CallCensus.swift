internal import Synchronization

/// Counts the call objects of the C core that this process holds, so that a test can show that none is left behind.
package enum CallCensus {
    private static let live = Atomic<Int>(0)

    /// Calls that have been created or received and not yet been freed, of clients and servers together.
    package static var liveCalls: Int { live.load(ordering: .relaxed) }

    static func opened() { live.add(1, ordering: .relaxed) }
    static func closed() { live.subtract(1, ordering: .relaxed) }
}
