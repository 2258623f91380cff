package import SubstrateModel
package import SubstrateStore
internal import Synchronization

/// The operations of all replicas as a sweep has last found them: for whoever looks, without asking etcd for it.
package final class OperationListing: Sendable {
    private let state = Mutex<(operations: [ActorRef: Stored<Operation>], time: Int64)?>(nil)

    init() {}

    func take(_ operations: [ActorRef: Stored<Operation>], _ time: Int64) {
        state.withLock { $0 = (operations, time) }
    }

    /// With the time of the sweep, Unix time in milliseconds; nil before the first.
    package var latest: (operations: [ActorRef: Stored<Operation>], time: Int64)? { state.withLock { $0 } }
}
