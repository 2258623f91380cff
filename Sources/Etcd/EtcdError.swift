internal import GRPC

/// Why a call to etcd failed.
public struct EtcdError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure, from the server's code and text together.
    public enum Code: Sendable, Equatable {
        /// No member could be reached, or it could not serve.
        case unavailable
        /// The time was up.
        case deadlineExceeded
        /// The calling task was cancelled.
        case cancelled
        /// The revision asked for has been compacted away.
        case compacted
        /// The revision asked for does not exist yet.
        case futureRevision
        /// The lease has expired, was revoked, or never was.
        case leaseNotFound
        /// The database is full and takes no writes until it is defragmented and disarmed.
        case noSpace
        /// The server has too many requests under way.
        case tooManyRequests
        /// The request is larger than the server takes.
        case tooLarge
        /// The request is wrong: an empty key, a key twice in a transaction, too many operations.
        case invalidRequest
        /// User name, password or token are not accepted.
        case authFailed
        /// The user may not do this.
        case permissionDenied
        /// Anything else.
        case other
    }

    /// What is known about a write that failed.
    public enum Outcome: Sendable, Equatable {
        /// It was not applied and never will be.
        case notApplied
        /// It may have been applied, or may yet be: read to find out.
        case unknown
    }

    /// The kind.
    public let code: Code
    /// What was attempted on what, for example `txn on actors/default/alice`.
    public let operation: String
    /// The address that was asked last.
    public let endpoint: String
    /// The server's or the connection's text.
    public let text: String
    /// What became of it, if it was a write.
    public let outcome: Outcome

    /// Creates an error, for those who implement `EtcdStore`.
    public init(code: Code, operation: String, endpoint: String, text: String, outcome: Outcome) {
        self.code = code
        self.operation = operation
        self.endpoint = endpoint
        self.text = text
        self.outcome = outcome
    }

    /// Whether the same call may succeed a little later.
    public var isRetriable: Bool {
        switch code {
        case .unavailable, .deadlineExceeded, .tooManyRequests: true
        default: false
        }
    }

    /// One line: what happened, to what, where.
    public var description: String { "etcd \(endpoint): \(operation): \(text)" }
}

extension EtcdError {
    /// The error for a status of a call.
    init(_ error: RPCError, operation: String, endpoint: String, isWrite: Bool) {
        let status = error.status
        let code = Code(status)
        // Only an answer of the server itself, given before the proposal, says that a write was not applied.
        let isRefusal: Bool =
            switch code {
            case .unavailable, .deadlineExceeded, .cancelled, .other: false
            default: true
            }
        let neverStarted = if case .notStarted = error { true } else { false }
        self.init(
            code: code, operation: operation, endpoint: endpoint, text: status.message,
            outcome: isWrite && !isRefusal && !neverStarted ? .unknown : .notApplied)
    }
}

extension EtcdError.Code {
    /// The server uses one gRPC code for several things, so its text decides.
    fileprivate init(_ status: Status) {
        let text = status.message
        if text.contains("required revision has been compacted") {
            self = .compacted
        } else if text.contains("required revision is a future revision") {
            self = .futureRevision
        } else if text.contains("requested lease not found") {
            self = .leaseNotFound
        } else if text.contains("database space exceeded") {
            self = .noSpace
        } else if text.contains("too many requests") {
            self = .tooManyRequests
        } else if text.contains("request is too large") || text.contains("larger than max") {
            self = .tooLarge
        } else {
            switch status.code {
            case .unavailable: self = .unavailable
            case .deadlineExceeded: self = .deadlineExceeded
            case .cancelled: self = .cancelled
            case .invalidArgument, .failedPrecondition, .outOfRange: self = .invalidRequest
            case .unauthenticated: self = .authFailed
            case .permissionDenied: self = .permissionDenied
            default: self = .other
            }
        }
    }
}
