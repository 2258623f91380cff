internal import GRPC
internal import Synchronization

/// One member of the cluster, as it is reached from here.
final class Member: Sendable {
    /// `host:port`.
    let endpoint: String
    let channel: Channel
    let index: Int

    init(endpoint: String, index: Int, options: EtcdOptions) {
        self.endpoint = endpoint
        self.index = index
        channel = Channel(
            target: endpoint, credentials: options.security.channelCredentials,
            options: options.limits.channelOptions)
    }
}

/// The members, and the one of them that all calls and streams use now. It is left when it fails, and not gone back to
/// before another one fails: with calls on one member, what this client has written it also reads without a detour.
final class Endpoints: Sendable {
    let members: [Member]
    private let hooks: EtcdHooks
    private let index = Atomic<Int>(0)
    private let failures: Mutex<[ContinuousClock.Instant?]>

    init(_ endpoints: [String], options: EtcdOptions) {
        members = endpoints.enumerated().map { Member(endpoint: $1, index: $0, options: options) }
        failures = Mutex(endpoints.map { _ in nil })
        hooks = options.hooks
    }

    /// The member to use.
    var current: Member { members[index.load(ordering: .relaxed)] }

    /// Turns away from a member that failed, unless somebody else has done so: to the next one that has not failed yet, or
    /// else to the one that failed the longest time ago.
    func leave(_ member: Member, because error: EtcdError) {
        let next = failures.withLock { failures -> Member? in
            failures[member.index] = .now
            guard members.count > 1, index.load(ordering: .relaxed) == member.index else { return nil }
            let others = (1..<members.count).map { (member.index + $0) % members.count }
            let best = others.first { failures[$0] == nil } ?? others.min { earlier(failures[$0], failures[$1]) }
            guard let best else { return nil }
            index.store(best, ordering: .relaxed)
            return members[best]
        }
        guard let next else { return }
        hooks.log(.movedOn(from: member.endpoint, to: next.endpoint, because: error))
        hooks.measure?(.movedOn(to: next.endpoint))
    }

    private func earlier(_ left: ContinuousClock.Instant?, _ right: ContinuousClock.Instant?) -> Bool {
        guard let left, let right else { return left == nil && right != nil }
        return left < right
    }
}

/// What a member says of itself in every answer.
struct ResponseHeader: Sendable {
    var clusterID: UInt64 = 0
    var revision: Int64 = 0
    var raftTerm: UInt64 = 0
}

/// Keeps a client from going back in time: what it has seen of the history once, every later answer has to know too.
///
/// Calls overlap, so an answer is held against what was known when its call began. A member that was restored from a backup
/// or lost its data is found out by this, and so is one that lags behind in a serializable read.
final class Freshness: Sendable {
    private let cluster = Atomic<UInt64>(0)
    private let revision = Atomic<Int64>(0)
    private let term = Atomic<UInt64>(0)

    /// What was known at some time.
    struct Mark {
        let revision: Int64
        let term: UInt64
    }

    var mark: Mark { Mark(revision: revision.load(ordering: .relaxed), term: term.load(ordering: .relaxed)) }

    /// Takes note of an answer.
    /// - Throws: `EtcdError` when it must not be believed.
    func admit(_ header: ResponseHeader, since mark: Mark, _ operation: Subject, from member: Member)
        throws(EtcdError)
    {
        try admitCluster(header, operation, from: member)
        guard header.revision >= mark.revision, header.raftTerm >= mark.term else {
            throw EtcdError(
                .staleMember, "\(operation)", member.endpoint,
                "the member is at revision \(header.revision) of term \(header.raftTerm), which is behind revision "
                    + "\(mark.revision) of term \(mark.term) that this client has seen: it lags, or was restored from a "
                    + "backup")
        }
        note(revision: header.revision)
        raise(term, to: header.raftTerm)
    }

    /// The same for an answer that says nothing of the history.
    func admitCluster(_ header: ResponseHeader, _ operation: Subject, from member: Member) throws(EtcdError) {
        if header.clusterID == 0 { return }
        let known = cluster.load(ordering: .relaxed)
        if known == header.clusterID { return }
        let (wasFirst, first) = cluster.compareExchange(
            expected: 0, desired: header.clusterID, ordering: .relaxed)
        guard wasFirst || first == header.clusterID else {
            throw EtcdError(
                .wrongCluster, "\(operation)", member.endpoint,
                "the member belongs to the cluster \(hex(header.clusterID)), the members asked before to "
                    + "\(hex(first))")
        }
    }

    /// Takes note of a revision that a watch has seen.
    func note(revision seen: Int64) {
        var known = revision.load(ordering: .relaxed)
        while known < seen {
            let (done, found) = revision.compareExchange(expected: known, desired: seen, ordering: .relaxed)
            if done { return }
            known = found
        }
    }

    private func raise(_ value: borrowing Atomic<UInt64>, to seen: UInt64) {
        var known = value.load(ordering: .relaxed)
        while known < seen {
            let (done, found) = value.compareExchange(expected: known, desired: seen, ordering: .relaxed)
            if done { return }
            known = found
        }
    }
}

/// As etcdctl prints ids.
func hex(_ id: UInt64) -> String { String(id, radix: 16) }
