/// The status codes of gRPC.
public enum StatusCode: Int, Sendable, CaseIterable {
    /// Success.
    case ok = 0
    /// The caller gave up.
    case cancelled = 1
    /// An error without a better code.
    case unknown = 2
    /// The request is wrong whatever the state of the system.
    case invalidArgument = 3
    /// The deadline passed; the work may have been done.
    case deadlineExceeded = 4
    /// The thing named does not exist.
    case notFound = 5
    /// The thing to create exists.
    case alreadyExists = 6
    /// The caller may not do this.
    case permissionDenied = 7
    /// A limit was reached.
    case resourceExhausted = 8
    /// The system is not in a state in which this can be done.
    case failedPrecondition = 9
    /// A conflict with something concurrent; the whole operation can be tried again.
    case aborted = 10
    /// Past the valid range.
    case outOfRange = 11
    /// The server has no such method.
    case unimplemented = 12
    /// An invariant is broken.
    case `internal` = 13
    /// Not reachable just now; the call can be tried again.
    case unavailable = 14
    /// Data is lost or damaged.
    case dataLoss = 15
    /// The caller has not said who it is.
    case unauthenticated = 16

    /// The name as gRPC writes it, for example `NOT_FOUND`.
    public var name: String {
        switch self {
        case .ok: "OK"
        case .cancelled: "CANCELLED"
        case .unknown: "UNKNOWN"
        case .invalidArgument: "INVALID_ARGUMENT"
        case .deadlineExceeded: "DEADLINE_EXCEEDED"
        case .notFound: "NOT_FOUND"
        case .alreadyExists: "ALREADY_EXISTS"
        case .permissionDenied: "PERMISSION_DENIED"
        case .resourceExhausted: "RESOURCE_EXHAUSTED"
        case .failedPrecondition: "FAILED_PRECONDITION"
        case .aborted: "ABORTED"
        case .outOfRange: "OUT_OF_RANGE"
        case .unimplemented: "UNIMPLEMENTED"
        case .internal: "INTERNAL"
        case .unavailable: "UNAVAILABLE"
        case .dataLoss: "DATA_LOSS"
        case .unauthenticated: "UNAUTHENTICATED"
        }
    }
}

/// How a call ended: what a client receives, and what a server's handler throws to answer with an error.
public struct Status: Error, Sendable, Equatable, CustomStringConvertible {
    /// The code.
    public var code: StatusCode
    /// For people, one line.
    public var message: String
    /// Trailing metadata.
    public var metadata: Metadata

    /// Creates a status.
    public init(code: StatusCode, message: String, metadata: Metadata = [:]) {
        self.code = code
        self.message = message
        self.metadata = metadata
    }

    /// `CODE: message`
    public var description: String { "\(code.name): \(message)" }
}

/// Why a call did not give a result.
public enum RPCError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call never started: nothing was sent, and the reason lies in this process (a header that is not legal, a
    /// stream used after its end).
    case notStarted(String)
    /// The call ended before it was given to a connection: no server has seen anything of it.
    case notSent(Status)
    /// The call ended with this status, given by the server or by the core on its behalf. Unless the server gave it,
    /// nothing is known about what the server did.
    case failed(Status)

    /// The status, or an `internal` one for a call that never started.
    public var status: Status {
        switch self {
        case .notStarted(let reason): Status(code: .internal, message: "call not started: \(reason)")
        case .notSent(let status), .failed(let status): status
        }
    }

    /// The code of the status.
    public var code: StatusCode { status.code }

    /// The status as text.
    public var description: String { status.description }
}
