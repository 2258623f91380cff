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
        case .put(let request):
            message.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT
            message.request_put = arena.message { request.fill(&$0, arena) }
        case .deleteRange(let request):
            message.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE
            message.request_delete_range = arena.message { request.fill(&$0, arena) }
        }
    }
}

extension Reply<TransactionResponse> {
    init(_ message: Message) throws {
        self = try message.unpack(Etcdserverpb__TxnResponse.self) { response in
            let header = ResponseHeader(response.header)
            return Reply(
                header: header,
                value: TransactionResponse(
                    succeeded: response.succeeded != 0, revision: header.revision,
                    results: map(response.responses, count: response.n_responses) {
                        TransactionResponse.Result($0, revision: header.revision)
                    }))
        }
    }
}

extension TransactionResponse.Result {
    fileprivate init(_ message: borrowing Etcdserverpb__ResponseOp, revision: Int64) {
        switch message.response_case {
        case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE:
            self = .range(RangeResponse(message.response_range.pointee, revision: revision))
        case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE:
            let response = message.response_delete_range.pointee
            self = .deleteRange(
                deleted: Int(response.deleted),
                previous: map(response.prev_kvs, count: response.n_prev_kvs) { KeyValue($0) })
        case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_PUT:
            self = .put(previous: message.response_put.pointee.prev_kv.map { KeyValue($0.pointee) })
        default:
            self = .put(previous: nil)
        }
    }
}
