internal import GRPC

/// Why a call to etcd failed.
public struct EtcdError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure, from the server's code and text together.
    public enum Code: Sendable, Equatable {
        /// No member could be reached, or it could not serve.
        case unavailable
        /// The member has no leader: it is cut off, or an election is under way.
        case noLeader
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
        /// The database is full and takes no writes until it is compacted, defragmented and its alarm disarmed.
        case noSpace
        /// The server, or this client, has too many requests under way.
        case tooManyRequests
        /// The request or the answer is larger than the server or this client takes.
        case tooLarge
        /// The request is wrong: an empty key, a key twice in a transaction, too many operations.
        case invalidRequest
        /// User name or password are not accepted, or there are none and the cluster asks for them.
        case authFailed
        /// The token is not accepted any more. The client renews it by itself, so only a token that is refused again and
        /// again gets out.
        case tokenInvalid
        /// The user may not do this.
        case permissionDenied
        /// The member knows less than this client has already seen: it lags, or it was restored from a backup. Its answer
        /// was refused. When every member stays so, the history has been rewound; a client that is made anew accepts it.
        case staleMember
        /// The member belongs to another cluster than those that answered before. Its answer was refused.
        case wrongCluster
        /// The members' data differ, and the cluster refuses to serve.
        case corrupt
        /// The data that was received is not what was sent: a snapshot whose hash is wrong.
        case damaged
        /// Anything else.
        case other
    }

    /// What is known about a write that failed. One that succeeded was applied.
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

    /// Whether the same call may succeed a little later, or on another member.
    public var isRetriable: Bool {
        switch code {
        case .unavailable, .noLeader, .deadlineExceeded, .tooManyRequests, .tokenInvalid, .staleMember, .wrongCluster:
            true
        default: false
        }
    }

    /// One line: what happened, to what, where.
    public var description: String { "etcd \(endpoint): \(operation): \(text)" }
}

extension EtcdError {
    /// The error for a call that the connection or the server ended.
    init(_ error: RPCError, operation: String, endpoint: String, isWrite: Bool) {
        let code = Code(error.status)
        let isCertain =
            switch error {
            case .notStarted, .notSent: true
            case .failed: code.isRefusal
            }
        self.init(
            code: code, operation: operation, endpoint: endpoint, text: error.status.message,
            outcome: isWrite && !isCertain ? .unknown : .notApplied)
    }

    /// The error for a call that never was a write.
    init(_ code: Code, _ operation: String, _ endpoint: String, _ text: String) {
        self.init(code: code, operation: operation, endpoint: endpoint, text: text, outcome: .notApplied)
    }

    /// The same error, with what is known after all attempts.
    func withOutcome(_ isUnresolved: Bool) -> EtcdError {
        EtcdError(
            code: code, operation: operation, endpoint: endpoint, text: text,
            outcome: isUnresolved ? .unknown : .notApplied)
    }

    /// Whether the member is the reason, so that another one may do better.
    var indictsMember: Bool {
        switch code {
        case .unavailable, .noLeader, .deadlineExceeded, .staleMember, .wrongCluster, .corrupt: true
        default: false
        }
    }
}

extension EtcdError.Code {
    /// Texts of the server by which it tells apart what it sends under one gRPC code.
    private static let texts: [(text: String, code: Self)] = [
        ("required revision has been compacted", .compacted),
        ("required revision is a future revision", .futureRevision),
        ("requested lease not found", .leaseNotFound),
        ("database space exceeded", .noSpace),
        ("too many requests", .tooManyRequests),
        ("request is too large", .tooLarge),
        ("larger than max", .tooLarge),
        ("invalid user ID or password", .authFailed),
        // No token came with the call, because authentication was switched on only after the client had asked for one.
        ("user name is empty", .tokenInvalid),
        ("invalid auth token", .tokenInvalid),
        ("revision of auth store is old", .tokenInvalid),
        ("permission denied", .permissionDenied),
        ("etcdserver: no leader", .noLeader),
        ("corrupt cluster", .corrupt),
        // A server that waits for a leader may notice the end of the call's time before the client does, and says so
        // under a code that means nothing.
        ("context deadline exceeded", .deadlineExceeded),
    ]

    init(_ status: Status) { self.init(status.code, status.message) }

    /// Code and text decide together.
    init(_ code: StatusCode, _ text: String) {
        if let known = Self.texts.first(where: { text.contains($0.text) }) {
            self = known.code
            return
        }
        switch code {
        case .unavailable: self = .unavailable
        case .deadlineExceeded: self = .deadlineExceeded
        case .cancelled: self = .cancelled
        case .invalidArgument, .failedPrecondition, .outOfRange: self = .invalidRequest
        case .unauthenticated: self = .authFailed
        case .permissionDenied: self = .permissionDenied
        case .dataLoss: self = .corrupt
        default: self = .other
        }
    }

    /// Whether the server says this only before it proposes a write, or in place of applying it.
    fileprivate var isRefusal: Bool {
        switch self {
        case .unavailable, .deadlineExceeded, .cancelled, .staleMember, .wrongCluster, .damaged, .other: false
        // The write that exceeds the quota is applied, and answered like those that are refused from then on.
        case .noSpace: false
        default: true
        }
    }
}
