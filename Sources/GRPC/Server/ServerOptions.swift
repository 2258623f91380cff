/// Limits of a server, and what it tells others about its calls.
public struct ServerOptions: Sendable {
    /// Largest request, in bytes. 4 MiB is the default of gRPC implementations.
    public var maximumReceiveSize = 4 << 20
    /// Calls being handled at the same time; one more is refused with `RESOURCE_EXHAUSTED`. 4,096 handlers waiting for
    /// etcd cost some tens of megabytes.
    public var maximumConcurrentCalls = 4096
    /// Calls at the same time on one connection; more wait at the client. One client cannot take all places of the server.
    public var maximumCallsPerConnection = 1024
    /// How long a stopping server lets running calls finish before it cancels them.
    public var gracePeriod: Duration = .seconds(5)
    /// Called once for each call that a handler has answered.
    public var onCompleted: @Sendable (CompletedCall) -> Void = { _ in }

    /// The defaults.
    public init() {}
}

/// How one call went, for a log line or a metric.
public struct CompletedCall: Sendable {
    /// The method that was called.
    public let method: Method
    /// The client's address in the core's notation.
    public let peer: String
    /// What was answered.
    public let status: Status
    /// From the start of the handler to its end.
    public let duration: Duration
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
