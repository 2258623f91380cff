/// What a user of etcd needs of it: the part that is implemented by `EtcdClient`, and by stand-ins in tests.
///
/// Reads are linearizable unless a request says otherwise. Every call ends within the implementation's time limit or the
/// task's `EtcdDeadline`, whichever comes first.
public protocol EtcdStore: Sendable {
    /// Reads a range.
    func range(_ request: RangeRequest) async throws(EtcdError) -> RangeResponse

    /// Carries out a transaction. When the error's `outcome` is `.unknown` it may have been applied, or be applied later.
    func transaction(_ transaction: Transaction) async throws(EtcdError) -> TransactionResponse

    /// Watches a range.
    func watch(_ request: WatchRequest) -> Watch

    /// Asks for a lease. One whose grant got lost expires by itself.
    func grantLease(timeToLive: Duration) async throws(EtcdError) -> Lease

    /// Renews a lease. Throws `.leaseNotFound` when it is gone.
    func keepAlive(_ lease: LeaseID, within limit: Duration) async throws(EtcdError)

    /// Ends a lease and deletes its keys. A lease that is gone is success.
    func revoke(_ lease: LeaseID) async throws(EtcdError)
}

/// The point in time at which the current task's calls have to have ended.
public enum EtcdDeadline {
    /// nil: only the client's own limit counts.
    @TaskLocal public static var current: ContinuousClock.Instant?
}
