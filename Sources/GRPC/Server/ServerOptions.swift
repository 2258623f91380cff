/// Limits of a server, and what it tells others about its calls.
public struct ServerOptions: Sendable {
    /// Largest request, in bytes. 4 MiB is the default of gRPC implementations.
    public var maximumReceiveSize = 4 << 20
    /// Calls with one request and one response that are handled at the same time; one more is refused with
    /// `RESOURCE_EXHAUSTED`. 4,096 handlers waiting for etcd cost some tens of megabytes.
    public var maximumConcurrentCalls = 4096
    /// Streams at the same time, which are counted apart: they last, and must not keep other calls out.
    public var maximumConcurrentStreams = 4096
    /// Of these, streams from one network (`ServerCall.peerNetwork`): nobody alone can take all places.
    public var maximumStreamsPerNetwork = 1024
    /// Calls at the same time on one connection; more wait at the client. One client cannot take all places of the server.
    public var maximumCallsPerConnection = 1024
    /// How long a connection may take until it can carry calls: the handshake of TLS and the beginning of HTTP/2. One that
    /// takes longer is closed.
    public var handshakeTimeout: Duration = .seconds(10)
    /// How long a stopping server lets running calls finish before it cancels them.
    public var gracePeriod: Duration = .seconds(5)
    /// The name of a trailer that says, with success and with errors alike, how many microseconds the call has taken here.
    public var elapsedTrailer: String?
    /// Called once for each call, on any thread, before its end is sent. Not for those that the core refuses by itself,
    /// which are no calls yet: a request that is too large, or not complete when the client goes away.
    public var onCompleted: @Sendable (CompletedCall) -> Void = { _ in }

    /// The defaults.
    public init() {}
}

/// How one call went, for a log line or a metric.
public struct CompletedCall: Sendable {
    /// The method that was called; of a method that is not served, what the client has sent for a name.
    public let method: Method
    /// The client's address in the core's notation.
    public let peer: String
    /// Who called, if the handler has found out.
    public let caller: String?
    /// The client's headers, with its secrets.
    public let metadata: Metadata
    /// What was answered.
    public let status: Status
    /// From the call's arrival to its end.
    public let duration: Duration

    init(_ call: ServerCall, _ status: Status, _ duration: Duration) {
        method = call.method
        peer = call.peer
        caller = call.caller
        metadata = call.metadata
        self.status = status
        self.duration = duration
    }
}

/// Why a server does not run.
public enum ServerError: Error, Sendable, CustomStringConvertible {
    /// The address can not be listened on: taken, not of this machine, or not allowed.
    case cannotListen(address: String)
    /// The core refused to register a method, most often because it is named twice.
    case cannotRegister(Method)

    /// One line.
    public var description: String {
        switch self {
        case .cannotListen(let address):
            "cannot listen on \(address): is the port taken, the address one of this machine's, the port below 1024?"
        case .cannotRegister(let method): "cannot register the method \(method.path): is it registered twice?"
        }
    }
}
