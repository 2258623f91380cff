internal import CMessages
internal import GRPC
internal import Protobuf

extension RangeRequest {
    func fill(_ message: inout Etcdserverpb__RangeRequest, _ arena: Arena) {
        message.key = arena.bytes(range.start.bytes)
        message.range_end = arena.bytes(range.end?.bytes ?? [])
        message.limit = Int64(limit ?? 0)
        message.revision = revision ?? 0
        message.serializable = isSerializable ? 1 : 0
        message.keys_only = keysOnly ? 1 : 0
        message.count_only = countOnly ? 1 : 0
        message.min_mod_revision = minimumModRevision ?? 0
        message.max_mod_revision = maximumModRevision ?? 0
        message.min_create_revision = minimumCreateRevision ?? 0
        message.max_create_revision = maximumCreateRevision ?? 0
        guard let sort else { return }
        message.sort_order =
            sort.isDescending
            ? ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__DESCEND : ETCDSERVERPB__RANGE_REQUEST__SORT_ORDER__ASCEND
        message.sort_target =
            switch sort.target {
            case .key: ETCDSERVERPB__RANGE_REQUEST__SORT_TARGET__KEY
            case .version: ETCDSERVERPB__RANGE_REQUEST__SORT_TARGET__VERSION
            case .createRevision: ETCDSERVERPB__RANGE_REQUEST__SORT_TARGET__CREATE
            case .modRevision: ETCDSERVERPB__RANGE_REQUEST__SORT_TARGET__MOD
            case .value: ETCDSERVERPB__RANGE_REQUEST__SORT_TARGET__VALUE
            }
    }
}

extension PutRequest {
    func fill(_ message: inout Etcdserverpb__PutRequest, _ arena: Arena) {
        message.key = arena.bytes(key.bytes)
        message.value = arena.bytes(value)
        message.lease = lease?.rawValue ?? 0
        message.ignore_lease = keepsLease ? 1 : 0
        message.prev_kv = returnsPrevious ? 1 : 0
    }
}

extension DeleteRequest {
    func fill(_ message: inout Etcdserverpb__DeleteRangeRequest, _ arena: Arena) {
        message.key = arena.bytes(range.start.bytes)
        message.range_end = arena.bytes(range.end?.bytes ?? [])
        message.prev_kv = returnsPrevious ? 1 : 0
    }
}

extension Reply<RangeResponse> {
    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__RangeResponse.self) { response in
            let header = ResponseHeader(response.header)
            return Reply(header: header, value: RangeResponse(response, revision: header.revision))
        }
    }
}

extension Reply<PutResponse> {
    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__PutResponse.self) { response in
            let header = ResponseHeader(response.header)
            return Reply(
                header: header,
                value: PutResponse(revision: header.revision, previous: response.prev_kv.map { KeyValue($0.pointee) }))
        }
    }
}

extension Reply<DeleteResponse> {
    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__DeleteRangeResponse.self) { response in
            let header = ResponseHeader(response.header)
            return Reply(
                header: header,
                value: DeleteResponse(
                    revision: header.revision, deleted: Int(response.deleted),
                    previous: map(response.prev_kvs, count: response.n_prev_kvs) { KeyValue($0) }))
        }
    }
}

extension RangeResponse {
    init(_ response: borrowing Etcdserverpb__RangeResponse, revision: Int64) {
        self.init(
            revision: revision, pairs: map(response.kvs, count: response.n_kvs) { KeyValue($0) },
            hasMore: response.more != 0, count: Int(response.count))
    }
}

extension KeyValue {
    init(_ message: borrowing Mvccpb__KeyValue) {
        self.init(
            key: Key(bytes: message.key.array), value: message.value.array, createRevision: message.create_revision,
            modRevision: message.mod_revision, version: message.version,
            lease: message.lease == 0 ? nil : LeaseID(message.lease))
    }
}
