internal import GRPC

/// Times of a client, and what it is allowed to do.
public struct EtcdOptions: Sendable {
    /// How long the first attempt of a call may take; when every member has used it up in vain, the next round gets twice
    /// as long, so that an answer that is large or slow comes through in the end. Short, because a server holds a lost
    /// proposal for its own request timeout of some seconds, and after the loss of a leader a new attempt succeeds long
    /// before that.
    public var attemptTimeout: Duration = .seconds(1)
    /// How long a call may take with all its attempts, unless the task's `EtcdDeadline` comes first. Long enough for the
    /// election of a new leader, which takes one to two seconds.
    public var callTimeout: Duration = .seconds(5)
    /// Pause when every member has been tried in vain; it doubles up to `maximumBackoff`, each with a jitter of half of it.
    public var initialBackoff: Duration = .milliseconds(20)
    /// Longest pause between two rounds of attempts. Shorter than an election, so that it does not add to one by much.
    public var maximumBackoff: Duration = .milliseconds(300)
    /// Silence on the stream of the watches after which the member is asked for a sign of life. Twice this without any
    /// word, and the watches move to another member. An idle client sends one small message in that time.
    public var signOfLifeInterval: Duration = .seconds(2)
    /// Sizes and numbers.
    public var limits = EtcdLimits()
    /// TLS and the user.
    public var security = EtcdSecurity()
    /// Logs and metrics.
    public var hooks = EtcdHooks()

    /// The defaults.
    public init() {}
}

/// What a client takes up at most.
public struct EtcdLimits: Sendable {
    /// Largest request, in bytes. Servers take 1.5 MiB unless configured otherwise; a larger request that gets as far as the
    /// network is refused by the server, or by its gRPC library in other words. 2 MiB stops only what no server would take
    /// without having been told to.
    public var maximumRequestSize = 2 << 20
    /// Largest answer, in bytes. What is asked for decides the size of an answer, and servers limit it by nothing but
    /// that, so this is 2 GiB, the most that the protocol takes. `pages` keeps answers small.
    public var maximumResponseSize = Int(Int32.max)
    /// Calls under way at a time; more wait for their turn, within their deadlines. Twice what keeps an etcd server busy, so
    /// that waiting calls wait here, where a deadline can still call them back, and not in the server's memory.
    public var maximumCallsInFlight = 512
    /// Calls that may wait for their turn; one more fails with `.tooManyRequests`.
    public var maximumCallsWaiting = 65_536
    /// Bytes that a watch holds for a consumer that does not keep up. Beyond that the watch is ended at the server and
    /// taken up again when the consumer has caught up. An answer of the server has up to 2 MiB, so about four of those.
    public var watchBufferSize = 8 << 20
    /// Silence after which a connection with calls under way is probed. Servers of etcd drop connections that are probed
    /// more often than every 5 s.
    public var keepaliveTime: Duration = .seconds(10)
    /// How long a probe may stay unanswered before the connection counts as dead.
    public var keepaliveTimeout: Duration = .seconds(5)
    /// Longest pause between two attempts to connect. Short, because members restart on the same address.
    public var maximumReconnectBackoff: Duration = .milliseconds(500)

    /// The defaults.
    public init() {}

    var channelOptions: ChannelOptions {
        var options = ChannelOptions()
        options.maximumSendSize = maximumRequestSize
        options.maximumReceiveSize = maximumResponseSize
        options.keepaliveTime = keepaliveTime
        options.keepaliveTimeout = keepaliveTimeout
        options.maximumReconnectBackoff = maximumReconnectBackoff
        return options
    }
}
