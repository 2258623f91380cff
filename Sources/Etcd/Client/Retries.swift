internal import GRPC
internal import Glibc

/// One remote procedure of etcd.
struct Procedure: Sendable {
    let method: Method
    let name: String
    /// Whether a member without a leader should refuse it at once.
    var needsLeader = true
    /// Whether its answers tell the store's revision, which then must not be behind what is known.
    var tellsRevision = false
    /// Whether it is sent with the user's token.
    var isAuthenticated = true

    private init(
        _ service: String, _ name: String, needsLeader: Bool = true, tellsRevision: Bool = false,
        isAuthenticated: Bool = true
    ) {
        method = Method("/etcdserverpb.\(service)/\(name)")
        self.name = name
        self.needsLeader = needsLeader
        self.tellsRevision = tellsRevision
        self.isAuthenticated = isAuthenticated
    }

    static let range = Procedure("KV", "Range", tellsRevision: true)
    /// A member may answer from what it has, also while it is cut off.
    static let serializableRange = Procedure("KV", "Range", needsLeader: false, tellsRevision: true)
    static let put = Procedure("KV", "Put", tellsRevision: true)
    static let deleteRange = Procedure("KV", "DeleteRange", tellsRevision: true)
    static let transaction = Procedure("KV", "Txn", tellsRevision: true)
    static let compact = Procedure("KV", "Compact", tellsRevision: true)
    static let watch = Procedure("Watch", "Watch")
    static let leaseGrant = Procedure("Lease", "LeaseGrant")
    static let leaseRevoke = Procedure("Lease", "LeaseRevoke")
    static let leaseKeepAlive = Procedure("Lease", "LeaseKeepAlive")
    static let leaseTimeToLive = Procedure("Lease", "LeaseTimeToLive")
    static let leases = Procedure("Lease", "LeaseLeases")
    static let memberList = Procedure("Cluster", "MemberList", needsLeader: false)
    static let alarm = Procedure("Maintenance", "Alarm")
    static let status = Procedure("Maintenance", "Status", needsLeader: false)
    static let defragment = Procedure("Maintenance", "Defragment", needsLeader: false)
    static let snapshot = Procedure("Maintenance", "Snapshot", needsLeader: false)
    static let authenticate = Procedure("Auth", "Authenticate", isAuthenticated: false)
}

/// Whether a call may be sent again when it is not known what became of it.
enum Repetition {
    /// It reads, or doing it twice is the same as doing it once.
    case repeatable
    /// It writes: only when it was provably not applied.
    case onlyIfNotApplied
    /// It writes, and can take effect only once however often it is sent.
    case guarded
}

/// What a call does to what, for messages. It becomes text only when there is something to report.
enum Subject: Sendable, CustomStringConvertible, ExpressibleByStringInterpolation {
    case on(StaticString, KeyRange)
    case named(String)

    init(stringLiteral text: String) { self = .named(text) }

    var description: String {
        switch self {
        case .on(let verb, let range): "\(verb) \(range)"
        case .named(let text): text
        }
    }
}

/// What a member has answered.
struct Reply<Value> {
    var header: ResponseHeader
    var value: Value
}

/// What the parts of one client share.
final class EtcdCore: Sendable {
    let options: EtcdOptions
    let endpoints: Endpoints
    let freshness = Freshness()
    let authenticator: Authenticator
    let gate: CallGate

    init(endpoints: [String], options: EtcdOptions) {
        self.options = options
        self.endpoints = Endpoints(endpoints, options: options)
        authenticator = Authenticator(user: options.security.user, hooks: options.hooks)
        gate = CallGate(
            limit: options.limits.maximumCallsInFlight, maximumWaiting: options.limits.maximumCallsWaiting)
    }

    /// Makes as many attempts as the kind of the call and the time allow.
    /// - Parameters:
    ///   - only: the one member to ask, for what concerns a member and not the cluster.
    ///   - time: how long the call may take, where that is not the options' `callTimeout`.
    /// - Returns: the answer, and whether an earlier attempt may have been applied too.
    func call<Value>(
        _ procedure: Procedure, _ request: Message, _ repetition: Repetition,
        _ operation: Subject, only: Member? = nil, within time: Duration? = nil,
        _ read: (Message) throws -> Reply<Value>
    ) async throws(EtcdError) -> (value: Value, earlierAttemptMayHaveSucceeded: Bool) {
        let timer = CallTimer()
        var left = timeLeft(of: time ?? options.callTimeout)
        // The renewal of a token must not wait behind the calls that wait for it.
        if procedure.isAuthenticated, !gate.enterAtOnce() {
            try await waitAtGate(for: left, operation, only)
            left -= timer.elapsed
        }
        defer { if procedure.isAuthenticated { gate.leave() } }
        let member = only ?? endpoints.current
        guard left > .zero else { throw outOfTime(operation, member) }
        do {
            let limit = only == nil ? min(left, options.attemptTimeout) : left
            return (try await attempt(procedure, request, on: member, limit, repetition, operation, read), false)
        } catch {
            return try await callAgain(
                procedure, request, repetition, operation, only, left: left - timer.elapsed, after: error,
                from: member, read)
        }
    }

    /// Goes on with a call whose first attempt has failed. Apart from `call`, whose frame every call pays for.
    private func callAgain<Value>(
        _ procedure: Procedure, _ request: Message, _ repetition: Repetition, _ operation: Subject,
        _ only: Member?, left: Duration, after first: EtcdError, from firstMember: Member,
        _ read: (Message) throws -> Reply<Value>
    ) async throws(EtcdError) -> (value: Value, earlierAttemptMayHaveSucceeded: Bool) {
        let end = ContinuousClock.now + left
        var attempts = Attempts(of: self, repetition, members: only == nil ? endpoints.members.count : 1)
        var (failure, member) = (first, firstMember)
        while true {
            // A member is not to blame for a caller in a hurry.
            if only == nil, failure.indictsMember, failure.code != .deadlineExceeded || end > .now {
                endpoints.leave(member, because: failure)
            }
            let pause = try attempts.pause(after: failure, end)
            options.hooks.log(.retrying(failure, attempt: attempts.count))
            options.hooks.measure?(.retry(method: procedure.name))
            if pause > .zero {
                do {
                    try await Task.sleep(for: pause)
                } catch {
                    throw EtcdError(.cancelled, "\(operation)", member.endpoint, "the task was cancelled")
                        .withOutcome(attempts.isUnresolved)
                }
            }
            member = only ?? endpoints.current
            let left = ContinuousClock.now.duration(to: end)
            guard left > .zero else {
                throw (attempts.reason ?? outOfTime(operation, member)).withOutcome(attempts.isUnresolved)
            }
            do {
                let limit = only == nil ? min(left, attempts.timeout) : left
                let value = try await attempt(procedure, request, on: member, limit, repetition, operation, read)
                return (value, attempts.isUnresolved)
            } catch {
                failure = error
            }
        }
    }

    /// How long a call may take that its caller gives so much time.
    private func timeLeft(of limit: Duration) -> Duration {
        EtcdDeadline.current.map { min(limit, ContinuousClock.now.duration(to: $0)) } ?? limit
    }

    private func waitAtGate(for limit: Duration, _ operation: Subject, _ member: Member?) async throws(EtcdError) {
        switch await gate.enter(by: .now + limit) {
        case .admitted: break
        case .tooLate: throw outOfTime(operation, member)
        case .tooMany:
            throw EtcdError(
                .tooManyRequests, "\(operation)", (member ?? endpoints.current).endpoint,
                "\(options.limits.maximumCallsWaiting) calls are already waiting for their turn in this client")
        }
    }

    private func attempt<Value>(
        _ procedure: Procedure, _ request: Message, on member: Member, _ limit: Duration, _ repetition: Repetition,
        _ operation: Subject, _ read: (Message) throws -> Reply<Value>
    ) async throws(EtcdError) -> Value {
        var headers = procedure.isAuthenticated ? authenticator.anonymous : nil
        if headers == nil, procedure.isAuthenticated { headers = try await authenticator.headers(self) }
        let mark = freshness.mark
        let timer = CallTimer()
        do throws(EtcdError) {
            let message: Message
            do throws(RPCError) {
                message = try await member.channel.unary(
                    procedure.method, request,
                    metadata: (procedure.needsLeader ? headers?.withLeader : headers?.any) ?? noHeaders, timeout: limit,
                    connectsFirst: repetition == .onlyIfNotApplied)
            } catch {
                throw failure(error, "\(operation)", member, headers, isWrite: repetition != .repeatable)
            }
            let reply: Reply<Value>
            do {
                reply = try read(message)
            } catch {
                throw EtcdError(
                    .other, "\(operation)", member.endpoint, "the answer cannot be read: \(error)"
                ).withOutcome(repetition != .repeatable)
            }
            do throws(EtcdError) {
                if procedure.tellsRevision {
                    try freshness.admit(reply.header, since: mark, operation, from: member)
                } else {
                    try freshness.admitCluster(reply.header, operation, from: member)
                }
            } catch {
                throw error.withOutcome(repetition != .repeatable)
            }
            report(procedure, member, timer, nil)
            return reply.value
        } catch {
            report(procedure, member, timer, error.code)
            throw error
        }
    }

    /// The error for a call that the connection or the server ended. A token that is refused is renewed before the next call.
    func failure(
        _ error: RPCError, _ operation: String, _ member: Member, _ headers: Authenticator.Headers?,
        isWrite: Bool = false
    ) -> EtcdError {
        let failure = EtcdError(error, operation: operation, endpoint: member.endpoint, isWrite: isWrite)
        guard failure.code == .tokenInvalid, let headers else { return failure }
        if authenticator.discard(headers) { return failure }
        return EtcdError(.authFailed, operation, member.endpoint, "\(failure.text): the cluster asks for a user")
    }

    private func report(
        _ procedure: Procedure, _ member: Member, _ timer: CallTimer, _ failure: EtcdError.Code?
    ) {
        options.hooks.measure?(
            .attempt(
                method: procedure.name, endpoint: member.endpoint, duration: timer.elapsed, failure: failure))
    }

    private func outOfTime(_ operation: Subject, _ member: Member?) -> EtcdError {
        let isCancelled = Task.isCancelled
        return EtcdError(
            isCancelled ? .cancelled : .deadlineExceeded, "\(operation)", (member ?? endpoints.current).endpoint,
            isCancelled ? "the task was cancelled" : "the time for the call was up before it could be sent")
    }
}

/// Measures from its creation on, as `ContinuousClock` does. The instants of that clock have a size that is only known when
/// the program runs: an asynchronous function has to allocate room for each, and every call would pay for it.
private struct CallTimer {
    private let start = now

    private static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    var elapsed: Duration { .nanoseconds(CallTimer.now - start) }
}

private let noHeaders = PreparedMetadata([:])

/// The attempts of one call so far, and whether there may be another.
private struct Attempts {
    let core: EtcdCore
    let repetition: Repetition
    /// How many members there are to try.
    let members: Int
    private(set) var count = 1
    /// Whether an attempt may have been applied, or may yet be.
    private(set) var isUnresolved = false
    /// Why it does not work, which "out of time" would hide.
    private(set) var reason: EtcdError?
    private var renewals = 0

    init(of core: EtcdCore, _ repetition: Repetition, members: Int) {
        self.core = core
        self.repetition = repetition
        self.members = members
    }

    private var round: Int { (count - 1) / members }

    /// How long the next attempt may take.
    var timeout: Duration { core.options.attemptTimeout * (1 << min(round, 6)) }

    /// Decides about the next attempt.
    /// - Returns: how long to wait before it.
    /// - Throws: the error of the call when there is none.
    mutating func pause(after error: EtcdError, _ end: ContinuousClock.Instant) throws(EtcdError) -> Duration {
        isUnresolved = isUnresolved || error.outcome == .unknown
        if error.code != .deadlineExceeded { reason = error }
        let isAllowed = repetition != .onlyIfNotApplied || error.outcome == .notApplied
        guard error.isRetriable, isAllowed else { throw (reason ?? error).withOutcome(isUnresolved) }
        count += 1
        if error.code == .tokenInvalid {
            renewals += 1
            // The next attempt has a new token. One that is refused at once, twice, will not become better.
            if renewals > 2 { throw error.withOutcome(isUnresolved) }
            return .zero
        }
        // The other members are tried at once; then all of them get a pause, which grows.
        let isRoundOver = (count - 1) % members == 0 || error.code == .tooManyRequests
        let longest = min(core.options.initialBackoff * (1 << min(round, 10)), core.options.maximumBackoff)
        let pause = isRoundOver ? longest * Double.random(in: 0.5...1) : .zero
        if ContinuousClock.now + pause >= end { throw (reason ?? error).withOutcome(isUnresolved) }
        return pause
    }
}
