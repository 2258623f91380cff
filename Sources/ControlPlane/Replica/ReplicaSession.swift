package import Etcd
internal import ServiceKit
internal import Synchronization

/// One session of the replica. Workflows put their operations under its lease.
package final class ReplicaSession: Sendable {
    package let lease: LeaseID
    package let replica: String
    let workflows = TaskPool()
    private let inHand = Mutex<Set<String>>([])

    init(lease: LeaseID, replica: String) {
        self.lease = lease
        self.replica = replica
    }

    /// Runs a workflow to its end, also when the caller stops waiting.
    /// - Throws: what the workflow throws, and `.unavailable` when the session is lost.
    func perform<Value: Sendable>(
        _ workflow: @escaping @Sendable (Hand) async throws(ControlError) -> Value
    ) async throws(ControlError) -> Value {
        let result = await workflows.perform { () throws(ControlError) in
            let hand = Hand(session: self)
            defer { hand.letGo() }
            return try await workflow(hand)
        }
        guard let result else {
            throw .unavailable("this replica has lost its session in etcd, or the caller went away")
        }
        return try result.get()
    }

    /// Runs a workflow that nobody waits for. It does not begin any more once the session is lost.
    func submit(_ workflow: @escaping @Sendable (Hand) async -> Void) {
        workflows.submit {
            let hand = Hand(session: self)
            await workflow(hand)
            hand.letGo()
        }
    }

    /// Whether a workflow of this replica runs the operation. One that is in etcd and in no hand was let go of when nobody
    /// knew that it had begun, or would yet begin.
    func isInHand(_ nonce: String) -> Bool { inHand.withLock { $0.contains(nonce) } }

    fileprivate func take(_ nonce: String) { inHand.withLock { _ = $0.insert(nonce) } }
    fileprivate func letGo(_ nonces: [String]) { inHand.withLock { $0.subtract(nonces) } }
}

/// The operations that one workflow runs.
final class Hand: Sendable {
    let session: ReplicaSession
    private let nonces = Mutex<[String]>([])

    init(session: ReplicaSession) { self.session = session }

    /// Notes the nonce of an operation before it is sent.
    func take(_ nonce: String) {
        session.take(nonce)
        nonces.withLock { $0.append(nonce) }
    }

    /// The workflow has ended.
    fileprivate func letGo() { session.letGo(nonces.withLock { $0 }) }
}
