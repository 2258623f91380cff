import History
import SubstrateModel

/// That an address of an actor is given to no other until nobody can still be on the way to it. Told of every start and
/// every end in the order in which they happen, and of what nodes say.
struct AddressUse {
    /// For how long after its end.
    let rest: Duration
    private var uses: [ActorAddress: Use] = [:]

    private struct Use {
        let run: RunningActors.Run
        var endedAt: Duration?
        /// Whether anybody was told of it. At the address of a start that came to nothing nobody looks for anyone.
        var isKnown = false
    }

    init(rest: Duration) { self.rest = rest }

    /// The actor listens there from now on.
    mutating func started(
        _ run: RunningActors.Run, at address: ActorAddress, now: Duration, revision: Int64
    ) -> [Violation] {
        let last = uses.updateValue(Use(run: run), forKey: address)
        guard let last, last.run != run else { return [] }
        let text =
            if let endedAt = last.endedAt {
                last.isKnown && now - endedAt < rest ? "ended only \((now - endedAt).seconds) s ago" : nil as String?
            } else {
                "has not ended"
            }
        return text.map {
            [Violation(.address, at: revision, "\(run) listens at \(address), where \(last.run) \($0)")]
        } ?? []
    }

    /// The node has said that what it has started under the epoch is there.
    mutating func told(_ address: ActorAddress, _ epoch: Epoch) {
        if uses[address]?.run.epoch == epoch { uses[address]?.isKnown = true }
    }

    mutating func ended(_ run: RunningActors.Run, at address: ActorAddress, now: Duration) {
        if uses[address]?.run == run { uses[address]?.endedAt = now }
    }

    /// The node that gave these addresses has lost what it knew.
    mutating func forget(where isForgotten: (ActorAddress) -> Bool) { uses = uses.filter { !isForgotten($0.key) } }
}
