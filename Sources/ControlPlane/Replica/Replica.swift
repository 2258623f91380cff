package import Etcd
package import ServiceKit
internal import Synchronization

/// This process among the replicas of the control plane: its lease in etcd, and the workflows that run under it.
///
/// Operations of workflows are put under the lease, so they go away with the replica. When the lease is lost, every
/// workflow stops at once: another replica may already be adopting what they were doing.
package final class Replica: Sendable {
    /// How long a replica's operations outlive it. Shorter makes other replicas wait less, longer makes it more patient
    /// with an etcd that does not answer.
    package static let defaultTimeToLive: Duration = .seconds(5)

    private let etcd: any EtcdStore
    private let environment: Environment
    private let timeToLive: Duration
    private let current = Mutex<Session?>(nil)
    /// Names this run of this process in the operations it owns.
    package let id: String

    package init(etcd: any EtcdStore, environment: Environment, timeToLive: Duration = Replica.defaultTimeToLive) {
        self.etcd = etcd
        self.environment = environment
        self.timeToLive = timeToLive
        id = environment.chance.id()
    }

    /// Holds a lease and runs workflows until the task is cancelled; then stops them and gives the lease back.
    package func run() async {
        var backoff = Backoff(from: .milliseconds(50), to: .seconds(1))
        while !Task.isCancelled {
            let sinceGrant = environment.clock.stopwatch()
            do {
                let lease = try await etcd.grantLease(timeToLive: timeToLive)
                backoff.reset()
                await hold(lease, sinceGrant)
            } catch {
                if Task.isCancelled { return }
                environment.log.warning("cannot get a lease, will try again", ["error": .text(error)])
                try? await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
            }
        }
    }

    private func hold(_ lease: Lease, _ sinceGrant: Stopwatch) async {
        let session = Session(lease: lease.id, replica: id)
        current.withLock { $0 = session }
        environment.log.info("holding a lease", ["lease": .text(lease.id), "replica": .string(id)])
        // The margin is for workflows to stop in.
        let keeper = LeaseKeeper(
            store: etcd, lease: lease, margin: lease.timeToLive / 5, clock: environment.clock)
        await withTaskGroup(of: LeaseKeeper.Loss?.self) { group in
            group.addTask { try? await keeper.run(sinceGrant: sinceGrant) }
            group.addTask {
                await session.workflows.run()
                return nil
            }
            if let loss = await group.next() ?? nil {
                self.environment.log.error("lost the lease: stopping all workflows", ["reason": .text(loss)])
            }
            group.cancelAll()
        }
        current.withLock { $0 = nil }
        // Ends the operations of the stopped workflows now instead of when the lease expires.
        await uncancelled { [etcd] in
            await EtcdDeadline.$current.withValue(.now + .seconds(1)) { try? await etcd.revoke(lease.id) }
        }
    }

    /// Runs a workflow to its end, also when the caller stops waiting.
    /// - Throws: what the workflow throws, and `.unavailable` when there is no lease or it is lost.
    package func perform<Value: Sendable>(
        _ workflow: @escaping @Sendable (Session) async throws(ControlError) -> Value
    ) async throws(ControlError) -> Value {
        guard let session = current.withLock({ $0 }) else {
            throw .unavailable("this replica has no lease in etcd")
        }
        let result = await session.workflows.perform { () throws(ControlError) in try await workflow(session) }
        guard let result else { throw .unavailable("this replica has lost its lease in etcd, or the caller went away") }
        return try result.get()
    }
}

/// One lease of the replica. Workflows put their operations under it.
package struct Session: Sendable {
    package let lease: LeaseID
    package let replica: String
    let workflows = TaskPool()

    init(lease: LeaseID, replica: String) {
        self.lease = lease
        self.replica = replica
    }
}
