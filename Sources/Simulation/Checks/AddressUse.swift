import History
import SubstrateModel

/// That an address of an actor is given to no other until nobody can still be on the way to it. Told of every start and
/// every end in the order in which they happen.
struct AddressUse {
    /// For how long after its end.
    let rest: Duration
    private var users: [ActorAddress: (run: RunningActors.Run, endedAt: Duration?)] = [:]

    init(rest: Duration) { self.rest = rest }

    /// The actor listens there from now on.
    mutating func started(
        _ run: RunningActors.Run, at address: ActorAddress, now: Duration, revision: Int64
    ) -> [Violation] {
        let last = users.updateValue((run, nil), forKey: address)
        guard let last, last.run != run else { return [] }
        let text =
            if let endedAt = last.endedAt {
                now - endedAt < rest ? "ended only \((now - endedAt).seconds) s ago" : nil as String?
            } else {
                "has not ended"
            }
        return text.map {
            [Violation(.address, at: revision, "\(run) listens at \(address), where \(last.run) \($0)")]
        } ?? []
    }

    mutating func ended(_ run: RunningActors.Run, at address: ActorAddress, now: Duration) {
        if users[address]?.run == run { users[address]?.endedAt = now }
    }

    /// The node that gave these addresses has lost what it knew.
    mutating func forget(where isForgotten: (ActorAddress) -> Bool) { users = users.filter { !isForgotten($0.key) } }
}
