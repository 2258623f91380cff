/// A lock that is held.
public struct Lock: Sendable {
    let candidate: Candidate

    /// The key that stands for holding it.
    public var key: Key { candidate.key }
    /// A number that is greater for every later holder.
    public var revision: Int64 { candidate.revision }
    /// Holds while the lock is held: a transaction with this condition has no effect once somebody else may have it.
    public var fence: Compare { candidate.fence }
}

extension Session {
    /// Does some work while holding a lock, after waiting for those who asked for it before. The lock is given up when the
    /// work has ended, also when the task is cancelled, and it is lost with the session.
    /// - Parameter name: the lock; the keys of those who want it are `<name>/<lease>-…`.
    /// - Throws: `SessionLost` when the lock was taken away, `EtcdError` when waiting for it failed, and what `body` throws.
    public func withLock<Value: Sendable>(
        _ name: Key, _ body: @escaping @Sendable (Lock) async throws -> Value
    ) async throws -> Value {
        let candidate = try await Candidate.join(name, [], Candidate.randomLabel(), self)
        return try await candidate.hold { try await body(Lock(candidate: candidate)) }
    }
}
