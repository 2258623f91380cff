public import GRPC

/// Times and limits of a client.
public struct EtcdOptions: Sendable {
    /// How long one attempt may take. Short, because a server holds a lost proposal for its own request timeout of some
    /// seconds, and after the loss of a leader a new attempt succeeds long before that.
    public var attemptTimeout: Duration = .seconds(1)
    /// How long a call may take with all its attempts, unless the task's `EtcdDeadline` comes first. Long enough for the
    /// election of a new leader, which takes one to two seconds.
    public var callTimeout: Duration = .seconds(5)
    /// Pause before the second attempt; it doubles up to `maximumBackoff`, each with a jitter of half of it.
    public var initialBackoff: Duration = .milliseconds(20)
    /// Longest pause between two attempts.
    public var maximumBackoff: Duration = .milliseconds(500)
    /// Limits of the connection. The largest answer is the server's business: a range of many keys is larger than 4 MiB.
    public var channel: ChannelOptions = {
        var options = ChannelOptions()
        options.maximumReceiveSize = Int(Int32.max)
        return options
    }()
    /// Told of what goes wrong on the way and is dealt with inside.
    public var onEvent: @Sendable (EtcdEvent) -> Void = { _ in }

    /// The defaults.
    public init() {}
}

/// Something that a client noticed and handles by itself.
public enum EtcdEvent: Sendable {
    /// An attempt failed; the call goes on with another one after a pause.
    case retrying(EtcdError, attempt: Int)
    /// The stream of a watch broke; it goes on from this revision.
    case watchResuming(KeyRange, from: Int64, because: EtcdError)
}
