internal import CMessages
internal import CProtobufC
internal import GRPC
internal import Protobuf

extension Reply<MemberStatus> {
    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__StatusResponse.self) { response in
            let header = ResponseHeader(response.header)
            return Reply(
                header: header,
                value: MemberStatus(
                    version: response.version.lenientText, databaseSize: response.dbsize,
                    databaseSizeInUse: response.dbsizeinuse, leader: response.leader == 0 ? nil : response.leader,
                    raftTerm: response.raftterm, appliedIndex: response.raftappliedindex,
                    isLearner: response.islearner != 0, memberID: response.header?.pointee.member_id ?? 0,
                    revision: header.revision, errors: lenientTexts(response.errors, response.n_errors)))
        }
    }
}

extension Reply<[ClusterMember]> {
    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__MemberListResponse.self) { response in
            Reply(
                header: ResponseHeader(response.header),
                value: map(response.members, count: response.n_members) { member in
                    ClusterMember(
                        id: member.id, name: member.name.lenientText,
                        clientURLs: lenientTexts(member.clienturls, member.n_clienturls),
                        peerURLs: lenientTexts(member.peerurls, member.n_peerurls), isLearner: member.islearner != 0)
                })
        }
    }
}

extension Reply<[Alarm]> {
    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__AlarmResponse.self) { response in
            let alarms: [Alarm?] = map(response.alarms, count: response.n_alarms) { alarm in
                switch alarm.alarm {
                case ETCDSERVERPB__ALARM_TYPE__NOSPACE: Alarm(kind: .noSpace, memberID: alarm.memberid)
                case ETCDSERVERPB__ALARM_TYPE__CORRUPT: Alarm(kind: .corrupt, memberID: alarm.memberid)
                default: nil
                }
            }
            return Reply(header: ResponseHeader(response.header), value: alarms.compactMap { $0 })
        }
    }
}

private func lenientTexts(_ texts: UnsafeMutablePointer<ProtobufCBinaryData>?, _ count: Int) -> [String] {
    UnsafeBufferPointer(start: texts, count: texts == nil ? 0 : count).map(\.lenientText)
}
