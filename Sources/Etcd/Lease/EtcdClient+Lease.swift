internal import CMessages
internal import GRPC
internal import Protobuf

extension EtcdClient {
    /// Asks for a lease; the server rounds up to whole seconds and has a minimum of its own.
    public func grantLease(timeToLive: Duration) async throws(EtcdError) -> Lease {
        let (seconds, attoseconds) = timeToLive.components
        let message = Message(packing: Etcdserverpb__LeaseGrantRequest.self) { request, _ in
            request.ttl = seconds + (attoseconds > 0 ? 1 : 0)
        }
        // Repeating is harmless: a grant whose answer got lost is never renewed and expires.
        return try await call("LeaseGrant", message, on: "grant lease", .read, service: "Lease", Lease.init).value
    }

    /// Renews a lease.
    public func keepAlive(_ lease: LeaseID, within limit: Duration) async throws(EtcdError) {
        let operation = "renew lease \(lease)"
        do {
            let stream = try channel.stream(
                Method("/etcdserverpb.Lease/LeaseKeepAlive"), metadata: ["hasleader": "true"],
                timeout: min(limit, options.attemptTimeout))
            try await stream.send(
                Message(packing: Etcdserverpb__LeaseKeepAliveRequest.self) { request, _ in
                    request.id = lease.rawValue
                })
            let timeToLive = try await stream.receive()?.unpack(Etcdserverpb__LeaseKeepAliveResponse.self) { $0.ttl }
            guard let timeToLive else {
                throw RPCError.failed(Status(code: .unavailable, message: "the server closed the stream"))
            }
            guard timeToLive > 0 else { throw leaseNotFound(operation) }
        } catch let error as RPCError {
            throw EtcdError(error, operation: operation, endpoint: endpoint, isWrite: false)
        } catch let error as EtcdError {
            throw error
        } catch {
            throw EtcdError(code: .other, operation: operation, endpoint: endpoint, text: "\(error)", outcome: .unknown)
        }
    }

    /// Ends a lease and deletes its keys.
    public func revoke(_ lease: LeaseID) async throws(EtcdError) {
        let message = Message(packing: Etcdserverpb__LeaseRevokeRequest.self) { request, _ in
            request.id = lease.rawValue
        }
        do {
            _ = try await call("LeaseRevoke", message, on: "revoke lease \(lease)", .guardedWrite, service: "Lease") {
                _ in
            }
        } catch {
            // Gone is what was wanted, whoever did it.
            if error.code != .leaseNotFound { throw error }
        }
    }

    private func leaseNotFound(_ operation: String) -> EtcdError {
        EtcdError(
            code: .leaseNotFound, operation: operation, endpoint: endpoint, text: "requested lease not found",
            outcome: .notApplied)
    }
}

extension Lease {
    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__LeaseGrantResponse.self) { response in
            Lease(id: LeaseID(response.id), timeToLive: .seconds(response.ttl))
        }
    }
}
