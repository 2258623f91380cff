/// A lease that is kept alive while some work is done, and a key under it.
///
/// Everything that a session holds carries a fence: a condition for transactions that is false for ever once the session has
/// lost it. Work that is stopped late, or answers late, can then do no harm.
public struct Session: Sendable {
    /// The lease, for keys that are to go away with the session.
    public let lease: Lease
    /// The session's key.
    public let key: Key
    /// The revision at which the session began; it orders sessions.
    public let revision: Int64
    let store: any EtcdStore
    let clock: any Clock<Duration>

    /// Holds while the session's key exists.
    public var fence: Compare { key.createRevision == revision }
}

/// The session, or what was held in it, was lost before the work was done; the work has been cancelled.
public enum SessionLost: Error, Sendable, Equatable, CustomStringConvertible {
    /// The lease can no longer be relied on.
    case lease(LeaseKeeper.Loss)
    /// Somebody deleted this key, which a lock or a leadership consists of.
    case keyDeleted(Key)

    /// One line.
    public var description: String {
        switch self {
        case .lease(let loss): "the session is lost: \(loss)"
        case .keyDeleted(let key): "the key \(key) is gone, and what was held with it"
        }
    }
}

extension EtcdStore {
    /// Does some work in a session. The lease is renewed until the work is done, then it is revoked and its keys are gone.
    /// - Parameters:
    ///   - prefix: what the session's key begins with.
    ///   - value: what the session's key says, for example who this is.
    ///   - timeToLive: how long the session outlives a holder that dies. Renewed at a third of it.
    ///   - margin: how long before the lease can have expired the work is cancelled; what it needs for stopping.
    ///   - clock: measures the lease; has to go on while the machine sleeps.
    ///   - onRenewal: told of each renewal of the lease, with a stopwatch that was started when it was sent, and of the grant.
    ///   - body: the work; its task is cancelled when the session is lost, and it should end then.
    /// - Throws: `SessionLost` when it was lost, `EtcdError` when it could not begin, and what `body` throws.
    public func withSession<Value: Sendable>(
        under prefix: Key, value: [UInt8] = [], timeToLive: Duration = .seconds(5), margin: Duration = .seconds(1),
        clock: any Clock<Duration> = ContinuousClock(), onRenewal: @escaping @Sendable (Stopwatch) -> Void = { _ in },
        _ body: @escaping @Sendable (Session) async throws -> Value
    ) async throws -> Value {
        let sinceGrant = clock.stopwatch()
        let lease = try await grantLease(timeToLive: timeToLive)
        do {
            let session = try await begin(lease, under: prefix, value, clock)
            let keeper = LeaseKeeper(store: self, lease: lease, margin: margin, clock: clock)
            onRenewal(sinceGrant)
            let result = try await whileHeld(
                {
                    let loss = try await keeper.run(
                        sinceGrant: sinceGrant,
                        onRenewal: { sent in
                            onRenewal(sent)
                            return true
                        })
                    return SessionLost.lease(loss)
                }, { try await body(session) })
            await end(lease)
            return result
        } catch {
            await end(lease)
            throw error
        }
    }

    private func begin(
        _ lease: Lease, under prefix: Key, _ value: [UInt8], _ clock: any Clock<Duration>
    ) async throws(EtcdError) -> Session {
        let key = Key(bytes: prefix.bytes + Array("\(lease.id)".utf8))
        // A lease's id is not given again, so neither is the key, and a put under a lease that is gone is refused.
        let response = try await transaction(
            Transaction().when(key.isAbsent).then(.put(key, value, lease: lease.id)).otherwise(.get(key)).guarded())
        let revision = response.succeeded ? response.revision : response.reads.first?.first?.createRevision
        return Session(lease: lease, key: key, revision: revision ?? 0, store: self, clock: clock)
    }

    /// Tries to revoke, also when the task is cancelled; a lease that is left expires.
    private func end(_ lease: Lease) async {
        await evenIfCancelled { try? await revoke(lease.id) }
    }
}

private enum WorkOutcome<Value: Sendable>: Sendable {
    case done(Value)
    case lost(SessionLost)
}

/// Does the work, and cancels it when something is found to be lost.
func whileHeld<Value: Sendable>(
    _ loss: @escaping @Sendable () async throws -> SessionLost, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: WorkOutcome<Value>.self) { group in
        group.addTask { .lost(try await loss()) }
        group.addTask { .done(try await body()) }
        defer { group.cancelAll() }
        switch try await group.next() {
        case .done(let value): return value
        case .lost(let loss):
            group.cancelAll()
            // The work has ended when this returns: nothing of it goes on behind its holder's back.
            _ = await group.nextResult()
            throw loss
        case nil: throw CancellationError()
        }
    }
}

/// Runs something short in a task that is not cancelled with this one, and for a second at most.
func evenIfCancelled(_ body: @escaping @Sendable () async -> Void) async {
    // It runs where the children of this task would.
    let executor = withUnsafeCurrentTask { $0?.unownedTaskExecutor?.asTaskExecutor() }
    await Task(executorPreference: executor) {
        await EtcdDeadline.$current.withValue(.now + .seconds(1)) { await body() }
    }.value
}
