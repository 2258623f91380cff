package import Etcd
internal import ServiceKit
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
                await session.runWorkflows()
                return nil
            }
            if let loss = await group.next() ?? nil {
                self.environment.log.error("lost the lease: stopping all workflows", ["reason": .text(loss)])
            }
            group.cancelAll()
        }
        current.withLock { $0 = nil }
        session.close()
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
        let promise = Promise<Value, ControlError>()
        session.submit(
            Session.Job { session in
                do throws(ControlError) {
                    promise.keep(.success(try await workflow(session)))
                } catch {
                    promise.keep(.failure(error))
                }
            } refuse: { error in
                promise.keep(.failure(error))
            })
        guard let result = await promise.result() else { throw .unavailable("the caller stopped waiting") }
        return try result.get()
    }
}

/// One lease of the replica, with the workflows that run under it.
package final class Session: Sendable {
    struct Job: Sendable {
        var run: @Sendable (Session) async -> Void
        var refuse: @Sendable (ControlError) -> Void

        init(
            run: @escaping @Sendable (Session) async -> Void, refuse: @escaping @Sendable (ControlError) -> Void
        ) {
            self.run = run
            self.refuse = refuse
        }
    }

    package let lease: LeaseID
    package let replica: String
    private let wake = Signal()
    private let queue = Mutex(Queue())

    private struct Queue {
        var jobs: [Job] = []
        var isClosed = false
    }

    init(lease: LeaseID, replica: String) {
        self.lease = lease
        self.replica = replica
    }

    /// Takes a job. There is a bound on these by the bound on calls that are handled at the same time.
    func submit(_ job: Job) {
        let isTaken = queue.withLock { queue in
            if !queue.isClosed { queue.jobs.append(job) }
            return !queue.isClosed
        }
        if isTaken { wake.fire() } else { job.refuse(.unavailable("this replica has lost its lease in etcd")) }
    }

    func runWorkflows() async {
        await withDiscardingTaskGroup { group in
            for await _ in wake.wakeUps {
                for job in take() { group.addTask { await job.run(self) } }
            }
            group.cancelAll()
        }
    }

    /// Refuses what has not been started, and what comes later.
    func close() {
        queue.withLock { $0.isClosed = true }
        for job in take() { job.refuse(.unavailable("this replica has lost its lease in etcd")) }
    }

    private func take() -> [Job] {
        queue.withLock { queue in
            defer { queue.jobs = [] }
            return queue.jobs
        }
    }
}
