internal import CMessages
internal import GRPC
internal import Protobuf

/// What a member says of itself.
public struct MemberStatus: Sendable, Equatable {
    /// The server's version, for example `3.5.28`.
    public let version: String
    /// Size of its database file in bytes.
    public let databaseSize: Int64
    /// How much of that is in use, in bytes; the rest is free for new data, or given back by defragmenting.
    public let databaseSizeInUse: Int64
    /// The leader's id as this member knows it; nil when it knows of none.
    public let leader: UInt64?
    /// The term of the consensus that it is in.
    public let raftTerm: UInt64
    /// The last entry of the consensus log that it has applied.
    public let appliedIndex: UInt64
    /// Whether it takes part without a vote.
    public let isLearner: Bool
    /// The member's own id.
    public let memberID: UInt64
    /// The store's revision as this member knows it.
    public let revision: Int64
    /// What the member thinks is wrong with it, alarms among them.
    public let errors: [String]
}

/// A member of the cluster as the members know it.
public struct ClusterMember: Sendable, Equatable {
    /// Its id.
    public let id: UInt64
    /// Its name; empty while it has not started.
    public let name: String
    /// Where clients reach it, as URLs.
    public let clientURLs: [String]
    /// Where other members reach it, as URLs.
    public let peerURLs: [String]
    /// Whether it takes part without a vote.
    public let isLearner: Bool
}

/// Something because of which the cluster restricts its service until it is disarmed.
public struct Alarm: Sendable, Equatable {
    /// The kinds.
    public enum Kind: Sendable, Equatable {
        /// The database is full: no writes.
        case noSpace
        /// The members' data differ: nothing at all.
        case corrupt
    }

    /// Why.
    public let kind: Kind
    /// The member that raised it.
    public let memberID: UInt64
}

extension EtcdClient {
    /// What one member says of itself.
    /// - Parameter endpoint: one of the client's endpoints; nil for the one that is in use.
    public func status(of endpoint: String? = nil) async throws(EtcdError) -> MemberStatus {
        let member = try member(endpoint, "status")
        let message = Message.packing(Etcdserverpb__StatusRequest.self) { _, _ in }
        return try await core.call(.status, message, .repeatable, "status", only: member, Reply<MemberStatus>.init)
            .value
    }

    /// The members of the cluster.
    public func members() async throws(EtcdError) -> [ClusterMember] {
        let message = Message.packing(Etcdserverpb__MemberListRequest.self) { _, _ in }
        return try await core.call(.memberList, message, .repeatable, "list members", Reply<[ClusterMember]>.init).value
    }

    /// The alarms that are raised.
    public func alarms() async throws(EtcdError) -> [Alarm] {
        let message = Message.packing(Etcdserverpb__AlarmRequest.self) { request, _ in
            request.action = ETCDSERVERPB__ALARM_REQUEST__ALARM_ACTION__GET
        }
        return try await core.call(.alarm, message, .repeatable, "list alarms", Reply<[Alarm]>.init).value
    }

    /// Takes an alarm back. One whose reason is still there is raised again: after `noSpace`, compact and defragment first.
    public func disarm(_ alarm: Alarm) async throws(EtcdError) {
        let message = Message.packing(Etcdserverpb__AlarmRequest.self) { request, _ in
            request.action = ETCDSERVERPB__ALARM_REQUEST__ALARM_ACTION__DEACTIVATE
            request.memberid = alarm.memberID
            request.alarm =
                switch alarm.kind {
                case .noSpace: ETCDSERVERPB__ALARM_TYPE__NOSPACE
                case .corrupt: ETCDSERVERPB__ALARM_TYPE__CORRUPT
                }
        }
        // Disarming what is disarmed changes nothing.
        _ = try await core.call(.alarm, message, .repeatable, "disarm \(alarm.kind)", Reply<[Alarm]>.init)
    }

    /// Gives the free space of one member's database file back to its file system. The member serves nothing meanwhile, so
    /// do one after the other.
    /// - Parameters:
    ///   - endpoint: one of the client's endpoints.
    ///   - limit: how long it may take; it copies the whole database.
    public func defragment(_ endpoint: String, within limit: Duration = .seconds(60)) async throws(EtcdError) {
        let member = try member(endpoint, "defragment")
        let message = Message.packing(Etcdserverpb__DefragmentRequest.self) { _, _ in }
        _ = try await core.call(.defragment, message, .repeatable, "defragment", only: member, within: limit) {
            message in
            try message.unpack(Etcdserverpb__DefragmentResponse.self) {
                Reply(header: ResponseHeader($0.header), value: ())
            }
        }
    }

    func member(_ endpoint: String?, _ operation: String) throws(EtcdError) -> Member {
        guard let endpoint else { return core.endpoints.current }
        if let member = core.endpoints.members.first(where: { $0.endpoint == endpoint }) { return member }
        throw EtcdError(.invalidRequest, operation, endpoint, "not an endpoint of this client")
    }
}
