internal import CMessages
internal import GRPC
internal import Protobuf

/// A client of one etcd server. May be used by any number of tasks.
public final class EtcdClient: EtcdStore {
    /// The server's address, `host:port`.
    public let endpoint: String
    let options: EtcdOptions
    let channel: Channel

    /// Creates a client; connecting starts with the first call.
    public init(endpoint: String, options: EtcdOptions = EtcdOptions()) {
        self.endpoint = endpoint
        self.options = options
        channel = Channel(target: endpoint, credentials: .insecure, options: options.channel)
    }

    /// Reads a range.
    public func range(_ request: RangeRequest) async throws(EtcdError) -> RangeResponse {
        let message = Message(packing: Etcdserverpb__RangeRequest.self) { request.fill(&$0, $1) }
        return try await call("Range", message, on: "range \(request.range)", .read, RangeResponse.init).value
    }

    /// Carries out a transaction; one that is guarded or only reads is sent again when an attempt gets no answer.
    public func transaction(_ transaction: Transaction) async throws(EtcdError) -> TransactionResponse {
        let message = Message(packing: Etcdserverpb__TxnRequest.self) { transaction.fill(&$0, $1) }
        let kind: CallKind =
            transaction.isReadOnly ? .read : transaction.isGuarded ? .guardedWrite : .write
        let reply = try await call("Txn", message, on: transaction.summary, kind, TransactionResponse.init)
        var response = reply.value
        response.earlierAttemptMayHaveSucceeded = reply.earlierAttemptMayHaveSucceeded && kind == .guardedWrite
        return response
    }

    /// Stores a value; without a lease the key is detached from the one it may have had. Sent once: when the error's
    /// outcome is unknown, it may have been applied. A transaction with a condition can be repeated.
    /// - Returns: the revision of the write.
    @discardableResult
    public func put(_ key: Key, _ value: [UInt8], lease: LeaseID? = nil) async throws(EtcdError) -> Int64 {
        try await transaction(Transaction().then(.put(key, value, lease: lease))).revision
    }

    /// Deletes a range. Sent once, as `put` is.
    /// - Returns: how many keys there were.
    @discardableResult
    public func delete(_ range: KeyRange) async throws(EtcdError) -> Int {
        let response = try await transaction(Transaction().then(.deleteRange(range)))
        guard case .deleteRange(let deleted) = response.results.first else { return 0 }
        return deleted
    }

    /// Forgets the history before `revision`: what is older can no longer be read or watched.
    public func compact(_ revision: Int64) async throws(EtcdError) {
        let message = Message(packing: Etcdserverpb__CompactionRequest.self) { request, _ in
            request.revision = revision
            request.physical = 1
        }
        // Compacting again is refused and changes nothing, so it may be repeated like a read.
        _ = try await call("Compact", message, on: "compact \(revision)", .read) { _ in }
    }
}

extension Transaction {
    /// For messages: the first key that is compared, else the first that is touched.
    var summary: String {
        if let first = conditions.first { return "txn on \(first.range)" }
        switch success.first {
        case .range(let request): return "txn on \(request.range)"
        case .put(let key, _, _, _): return "txn on \(key)"
        case .deleteRange(let range): return "txn on \(range)"
        case nil: return "empty txn"
        }
    }
}
