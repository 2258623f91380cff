internal import Synchronization

/// One method that a server offers.
public struct ServerMethod: Sendable {
    /// Answers one request. What it throws becomes the call's status: a `Status` as it is, anything else `INTERNAL`.
    /// Its task is cancelled when the client goes away or the deadline passes.
    public typealias Handler = @Sendable (Message, ServerCall) async throws -> Message

    /// Serves one stream, which ends with success when it returns. What it throws becomes the status, as for a `Handler`.
    /// Its task is also cancelled when the server stops: a stream has no end of its own that one could wait for.
    public typealias StreamHandler = @Sendable (ServerStream, ServerCall) async throws -> Void

    enum Kind: Sendable {
        case unary(Handler)
        case stream(StreamHandler)
    }

    /// The name.
    public let method: Method
    /// The code behind it.
    let kind: Kind

    /// Offers a method with one request and one response.
    public init(_ method: Method, handler: @escaping Handler) { self.init(method, .unary(handler)) }

    /// Offers a method with streams in one direction or both.
    public static func stream(_ method: Method, handler: @escaping StreamHandler) -> ServerMethod {
        ServerMethod(method, .stream(handler))
    }

    private init(_ method: Method, _ kind: Kind) {
        self.method = method
        self.kind = kind
    }

    var isStream: Bool { if case .stream = kind { true } else { false } }
}

/// What a handler knows of the call that it answers.
public final class ServerCall: Sendable {
    /// The method that was called.
    public let method: Method
    /// The client's headers.
    public let metadata: Metadata
    /// The client's address in the core's notation, for example `ipv4:127.0.0.1:40312`.
    public let peer: String
    /// The certificate that the client has proved to be its own; nil without TLS, or without one.
    public let peerCertificate: PeerCertificate?
    /// When the client stops waiting, or nil when it never does.
    public let deadline: ContinuousClock.Instant?

    private let trailers = Mutex(Metadata())
    private let identified = Mutex<String?>(nil)

    init(
        method: Method, metadata: Metadata, peer: String, peerCertificate: PeerCertificate?,
        deadline: ContinuousClock.Instant?
    ) {
        self.method = method
        self.metadata = metadata
        self.peer = peer
        self.peerCertificate = peerCertificate
        self.deadline = deadline
    }

    /// What of the client's address it cannot change at will: an IPv4 address without the port, or the first 64 bits of an
    /// IPv6 address.
    public var peerNetwork: String { PeerNetwork.of(peer) }

    /// Who calls, if the handler has found out.
    public var caller: String? { identified.withLock { $0 } }

    /// Notes who calls, for whoever is told of the call when it has ended.
    public func identify(as caller: String) { identified.withLock { $0 = caller } }

    /// Adds trailing metadata, which is sent with success and with errors alike.
    public func addTrailer(_ key: String, _ value: String) { trailers.withLock { $0.append(key, value) } }

    var trailingMetadata: Metadata { trailers.withLock { $0 } }
}
