/// Where a client reports what it does. Nothing is global: each client has its own. The closures are called from any
/// thread, the network's among them, so they must not block.
public struct EtcdHooks: Sendable {
    /// Told of what goes wrong on the way and is dealt with inside: for logs.
    public var log: @Sendable (EtcdEvent) -> Void = { _ in }
    /// Told of every attempt: for metrics. nil costs nothing, not even the reading of a clock.
    public var measure: (@Sendable (EtcdMeasurement) -> Void)?

    /// Reports nothing.
    public init() {}
}

/// Something that a client noticed and handles by itself.
public enum EtcdEvent: Sendable {
    /// An attempt failed; the call goes on with another one.
    case retrying(EtcdError, attempt: Int)
    /// The client turns from one member to another.
    case movedOn(from: String, to: String, because: EtcdError)
    /// The stream of the watches broke; they go on from where they were, on this member.
    case watchesResuming(count: Int, on: String, because: EtcdError)
    /// A watch whose consumer does not keep up was ended at the server; it goes on from where it was when the consumer
    /// has caught up.
    case watchPaused(KeyRange, at: Int64)
    /// The token of the user was renewed.
    case authenticated(user: String)
    /// A user is configured, but the cluster does not ask for one.
    case authenticationNotEnabled
}

/// One number for metrics.
public enum EtcdMeasurement: Sendable {
    /// An attempt at a call has ended; `failure` is nil when it succeeded.
    case attempt(method: String, endpoint: String, duration: Duration, failure: EtcdError.Code?)
    /// A call makes a further attempt.
    case retry(method: String)
    /// A stream was opened: `Watch` or `LeaseKeepAlive`; the first one, and each after a break.
    case streamOpened(method: String, endpoint: String)
    /// Watches were set up again after a break.
    case watchesResumed(count: Int)
    /// The client turned to this member.
    case movedOn(to: String)
}
