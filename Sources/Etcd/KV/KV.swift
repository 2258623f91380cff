internal import CMessages
internal import GRPC
internal import Protobuf

extension EtcdClient {
    /// Reads a range.
    public func range(_ request: RangeRequest) async throws(EtcdError) -> RangeResponse {
        try await core.range(request)
    }

    /// Carries out a transaction; one that is guarded or only reads is sent again when an attempt gets no answer.
    public func transaction(_ transaction: Transaction) async throws(EtcdError) -> TransactionResponse {
        let message = Message.packing(Etcdserverpb__TxnRequest.self) { transaction.fill(&$0, $1) }
        let repetition: Repetition =
            transaction.isGuarded ? .guarded : transaction.isReadOnly ? .repeatable : .onlyIfNotApplied
        let reply = try await core.call(
            .transaction, message, repetition, transaction.summary, Reply<TransactionResponse>.init)
        var response = reply.value
        response.earlierAttemptMayHaveSucceeded = reply.earlierAttemptMayHaveSucceeded && repetition == .guarded
        return response
    }

    /// Stores a value. It is sent again only when it provably was not applied: when the error's outcome is unknown, it may
    /// have been. A transaction with a condition can be repeated.
    public func put(_ request: PutRequest) async throws(EtcdError) -> PutResponse {
        let message = Message.packing(Etcdserverpb__PutRequest.self) { request.fill(&$0, $1) }
        return try await core.call(
            .put, message, .onlyIfNotApplied, .on("put", .key(request.key)), Reply<PutResponse>.init
        ).value
    }

    /// Stores a value, under the lease if one is given, as `put` of a request does.
    /// - Returns: the revision of the put.
    @discardableResult
    public func put(_ key: Key, _ value: [UInt8], lease: LeaseID? = nil) async throws(EtcdError) -> Int64 {
        try await put(PutRequest(key, value, lease: lease)).revision
    }

    /// Deletes a range. It is sent again only when it provably was not applied.
    public func delete(_ request: DeleteRequest) async throws(EtcdError) -> DeleteResponse {
        let message = Message.packing(Etcdserverpb__DeleteRangeRequest.self) { request.fill(&$0, $1) }
        return try await core.call(
            .deleteRange, message, .onlyIfNotApplied, .on("delete", request.range), Reply<DeleteResponse>.init
        ).value
    }

    /// Deletes a range, as `delete` of a request does.
    /// - Returns: how many keys there were.
    @discardableResult
    public func delete(_ range: KeyRange) async throws(EtcdError) -> Int {
        try await delete(DeleteRequest(range)).deleted
    }

    /// Forgets the history before `revision`: what is older can no longer be read or watched. Returns when the space of it
    /// is free for new data.
    public func compact(_ revision: Int64) async throws(EtcdError) {
        let message = Message.packing(Etcdserverpb__CompactionRequest.self) { request, _ in
            request.revision = revision
            request.physical = 1
        }
        // Compacting again is refused and changes nothing.
        _ = try await core.call(.compact, message, .repeatable, "compact \(revision)") { message in
            try message.unpack(Etcdserverpb__CompactionResponse.self) {
                Reply(header: ResponseHeader($0.header), value: ())
            }
        }
    }
}

extension EtcdCore {
    @inline(__always)
    func range(_ request: RangeRequest) async throws(EtcdError) -> RangeResponse {
        let message = Message.packing(Etcdserverpb__RangeRequest.self) { request.fill(&$0, $1) }
        return try await call(
            request.isSerializable ? .serializableRange : .range, message, .repeatable, .on("range", request.range),
            Reply<RangeResponse>.init
        ).value
    }
}

extension Transaction {
    /// For messages: the first key that is compared, else the first that is touched.
    var summary: Subject {
        if let first = conditions.first { return .on("txn on", first.range) }
        switch success.first {
        case .range(let request): return .on("txn on", request.range)
        case .put(let request): return .on("txn on", .key(request.key))
        case .deleteRange(let request): return .on("txn on", request.range)
        case nil: return "empty txn"
        }
    }
}
