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
    }
}

extension RangeResponse {
    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__RangeResponse.self) { response in
            RangeResponse(response, revision: response.header?.pointee.revision ?? 0)
        }
    }

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
