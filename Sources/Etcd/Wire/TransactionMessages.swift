internal import CMessages
internal import GRPC
internal import Protobuf

extension Transaction {
    func fill(_ message: inout Etcdserverpb__TxnRequest, _ arena: Arena) {
        (message.n_compare, message.compare) = arena.repeated(conditions) { $0.fill(&$1, arena) }
        (message.n_success, message.success) = arena.repeated(success) { $0.fill(&$1, arena) }
        (message.n_failure, message.failure) = arena.repeated(failure) { $0.fill(&$1, arena) }
    }
}

extension Compare {
    fileprivate func fill(_ message: inout Etcdserverpb__Compare, _ arena: Arena) {
        message.key = arena.bytes(range.start.bytes)
        message.range_end = arena.bytes(range.end?.bytes ?? [])
        message.result =
            switch relation {
            case .equal: ETCDSERVERPB__COMPARE__COMPARE_RESULT__EQUAL
            case .notEqual: ETCDSERVERPB__COMPARE__COMPARE_RESULT__NOT_EQUAL
            case .less: ETCDSERVERPB__COMPARE__COMPARE_RESULT__LESS
            case .greater: ETCDSERVERPB__COMPARE__COMPARE_RESULT__GREATER
            }
        switch target {
        case .version(let version):
            message.target = ETCDSERVERPB__COMPARE__COMPARE_TARGET__VERSION
            message.target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_VERSION
            message.version = version
        case .createRevision(let revision):
            message.target = ETCDSERVERPB__COMPARE__COMPARE_TARGET__CREATE
            message.target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_CREATE_REVISION
            message.create_revision = revision
        case .modRevision(let revision):
            message.target = ETCDSERVERPB__COMPARE__COMPARE_TARGET__MOD
            message.target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_MOD_REVISION
            message.mod_revision = revision
        case .value(let value):
            message.target = ETCDSERVERPB__COMPARE__COMPARE_TARGET__VALUE
            message.target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_VALUE
            message.value = arena.bytes(value)
        case .lease(let lease):
            message.target = ETCDSERVERPB__COMPARE__COMPARE_TARGET__LEASE
            message.target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_LEASE
            message.lease = lease
        }
    }
}

extension Transaction.Operation {
    fileprivate func fill(_ message: inout Etcdserverpb__RequestOp, _ arena: Arena) {
        switch self {
        case .range(let request):
            message.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE
            message.request_range = arena.message { request.fill(&$0, arena) }
        case .put(let key, let value, let lease, let keepsLease):
            message.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT
            message.request_put = arena.message { put in
                put.key = arena.bytes(key.bytes)
                put.value = arena.bytes(value)
                put.lease = lease?.rawValue ?? 0
                put.ignore_lease = keepsLease ? 1 : 0
            }
        case .deleteRange(let range):
            message.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE
            message.request_delete_range = arena.message { delete in
                delete.key = arena.bytes(range.start.bytes)
                delete.range_end = arena.bytes(range.end?.bytes ?? [])
            }
        }
    }
}

extension TransactionResponse {
    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__TxnResponse.self) { response in
            let revision = response.header?.pointee.revision ?? 0
            return TransactionResponse(
                succeeded: response.succeeded != 0, revision: revision,
                results: map(response.responses, count: response.n_responses) { Result($0, revision: revision) })
        }
    }
}

extension TransactionResponse.Result {
    fileprivate init(_ message: borrowing Etcdserverpb__ResponseOp, revision: Int64) {
        switch message.response_case {
        case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE:
            self = .range(RangeResponse(message.response_range.pointee, revision: revision))
        case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE:
            self = .deleteRange(deleted: Int(message.response_delete_range.pointee.deleted))
        default: self = .put
        }
    }
}
