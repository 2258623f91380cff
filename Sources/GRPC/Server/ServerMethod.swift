internal import Synchronization

/// One unary method that a server offers.
public struct ServerMethod: Sendable {
    /// Answers one request. What it throws becomes the call's status: a `Status` as it is, anything else `INTERNAL`.
    /// Its task is cancelled when the client goes away or the deadline passes.
    public typealias Handler = @Sendable (Message, ServerCall) async throws -> Message

    /// The name.
    public let method: Method
    /// The code behind it.
    public let handler: Handler

    /// Offers `method`.
    public init(_ method: Method, handler: @escaping Handler) {
        self.method = method
        self.handler = handler
    }
}

/// What a handler knows of the call that it answers.
public final class ServerCall: Sendable {
    /// The method that was called.
    public let method: Method
    /// The client's headers.
    public let metadata: Metadata
    /// The client's address in the core's notation, for example `ipv4:127.0.0.1:40312`.
    public let peer: String
    /// When the client stops waiting, or nil when it never does.
    public let deadline: ContinuousClock.Instant?

    private let trailers = Mutex(Metadata())

    init(method: Method, metadata: Metadata, peer: String, deadline: ContinuousClock.Instant?) {
        self.method = method
        self.metadata = metadata
        self.peer = peer
        self.deadline = deadline
    }

    /// Adds trailing metadata, which is sent with success and with errors alike.
    public func addTrailer(_ key: String, _ value: String) { trailers.withLock { $0.append(key, value) } }

    var trailingMetadata: Metadata { trailers.withLock { $0 } }
}
