package import SubstrateModel
package import SubstrateStore
internal import Synchronization

/// How many actors there are.
package struct ActorCensus: Sendable, Equatable {
    package var counts: [ActorStatus: Int] = [:]
    /// Those that nobody works on although somebody should: what adoption is for.
    package var stranded: Int

    package init(stranded: Int = 0) { self.stranded = stranded }
}

/// What the leader knows of all actors from its watch on them. Others know nothing: a watch of their own would cost them and
/// etcd as much as the leader's.
package final class LifecycleView: Sendable {
    private let adoption = Mutex<Adoption?>(nil)

    init() {}

    func show(_ adoption: Adoption?) { self.adoption.withLock { $0 = adoption } }

    /// Nil while another replica leads, and until all actors have been listed.
    package var census: ActorCensus? { adoption.withLock { $0 }?.census }

    /// The row of an actor that has a worker, as it was seen last; nil when none was seen.
    package func row(of ref: ActorRef) -> Stored<Actor>? { adoption.withLock { $0 }?.row(of: ref) }
}
