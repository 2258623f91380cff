internal import CMessages
internal import GRPC
internal import Protobuf

extension EtcdClient {
    /// Asks for a lease; the server rounds up to whole seconds and has a minimum of its own, of about two.
    public func grantLease(timeToLive: Duration) async throws(EtcdError) -> Lease {
        let (seconds, attoseconds) = timeToLive.components
        let message = Message.packing(Etcdserverpb__LeaseGrantRequest.self) { request, _ in
            request.ttl = seconds + (attoseconds > 0 ? 1 : 0)
        }
        // Repeating is harmless: a grant whose answer got lost is never renewed and expires.
        return try await core.call(.leaseGrant, message, .repeatable, "grant lease") { message in
            try message.unpack(Etcdserverpb__LeaseGrantResponse.self) { response in
                Reply(
                    header: ResponseHeader(response.header),
                    value: Lease(id: LeaseID(response.id), timeToLive: .seconds(response.ttl)))
            }
        }.value
    }

    /// Renews a lease, in one attempt.
    public func keepAlive(_ lease: LeaseID, within limit: Duration) async throws(EtcdError) {
        let timeToLive = try await keepAlives.renew(lease, within: limit)
        guard timeToLive > 0 else {
            throw EtcdError(.leaseNotFound, "renew lease \(lease)", currentEndpoint, "requested lease not found")
        }
    }

    /// Ends a lease and deletes its keys. A lease that is gone is success.
    public func revoke(_ lease: LeaseID) async throws(EtcdError) {
        let message = Message.packing(Etcdserverpb__LeaseRevokeRequest.self) { request, _ in
            request.id = lease.rawValue
        }
        do throws(EtcdError) {
            // A lease's id is not given again, so there is no other one that a repetition could hit.
            _ = try await core.call(.leaseRevoke, message, .guarded, "revoke lease \(lease)") { message in
                try message.unpack(Etcdserverpb__LeaseRevokeResponse.self) {
                    Reply(header: ResponseHeader($0.header), value: ())
                }
            }
        } catch {
            // Gone is what was wanted, whoever did it.
            if error.code != .leaseNotFound { throw error }
        }
    }

    /// What the cluster knows of a lease.
    /// - Parameter listsKeys: whether to return the keys under it.
    /// - Throws: `EtcdError` with code `.leaseNotFound` when it is gone.
    public func leaseStatus(_ lease: LeaseID, listsKeys: Bool = false) async throws(EtcdError) -> LeaseStatus {
        let message = Message.packing(Etcdserverpb__LeaseTimeToLiveRequest.self) { request, _ in
            request.id = lease.rawValue
            request.keys = listsKeys ? 1 : 0
        }
        let status = try await core.call(.leaseTimeToLive, message, .repeatable, "look at lease \(lease)") { message in
            try message.unpack(Etcdserverpb__LeaseTimeToLiveResponse.self) { response in
                let keys = UnsafeBufferPointer(start: response.keys, count: response.n_keys)
                return Reply(
                    header: ResponseHeader(response.header),
                    value: LeaseStatus(
                        timeLeft: .seconds(response.ttl), timeToLive: .seconds(response.grantedttl),
                        keys: keys.map { Key(bytes: $0.array) }))
            }
        }.value
        guard status.timeLeft >= .zero else {
            throw EtcdError(.leaseNotFound, "look at lease \(lease)", currentEndpoint, "requested lease not found")
        }
        return status
    }

    /// The leases of the whole cluster.
    public func leases() async throws(EtcdError) -> [LeaseID] {
        let message = Message.packing(Etcdserverpb__LeaseLeasesRequest.self) { _, _ in }
        return try await core.call(.leases, message, .repeatable, "list leases") { message in
            try message.unpack(Etcdserverpb__LeaseLeasesResponse.self) { response in
                Reply(
                    header: ResponseHeader(response.header),
                    value: map(response.leases, count: response.n_leases) { LeaseID($0.id) })
            }
        }.value
    }
}
