package import Etcd

extension EtcdModel {
    /// A new lease that runs from `now` on.
    package mutating func grant(_ timeToLive: Duration, at now: Duration) -> Lease {
        nextLease += 1
        let lease = Lease(id: LeaseID(nextLease), timeToLive: timeToLive)
        leases[lease.id] = LeaseRecord(timeToLive: timeToLive, deadline: now + timeToLive)
        return lease
    }

    package mutating func keepAlive(_ id: LeaseID, at now: Duration) throws(EtcdError) {
        guard let lease = leases[id] else { throw .refused(.leaseNotFound, "requested lease not found") }
        leases[id]?.deadline = now + lease.timeToLive
    }

    /// Ends a lease: all its keys go in one revision. One that is gone is success.
    package mutating func revoke(_ id: LeaseID) {
        guard leases.removeValue(forKey: id) != nil else { return }
        var change = Change()
        for pair in pairs where pair.lease == id { _ = delete(.key(pair.key), &change) }
        commit(change)
    }

    /// The leases whose time is over, oldest first.
    func expired(at now: Duration) -> [LeaseID] {
        leases.filter { $0.value.deadline <= now }.keys.sorted { $0.rawValue < $1.rawValue }
    }

    /// A new leader gives every lease its whole time again: it does not know how long ago the last renewal was.
    mutating func resetLeaseTimes(at now: Duration) {
        leases = leases.mapValues { LeaseRecord(timeToLive: $0.timeToLive, deadline: now + $0.timeToLive) }
    }
}
