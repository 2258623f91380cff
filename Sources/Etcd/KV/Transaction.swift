/// Conditions, and what to do when all of them hold or one does not; the server carries it out as one step.
///
/// ```swift
/// Transaction()
///     .when(actor.modRevision == revision, operation.isAbsent)
///     .then(.put(actor, value), .delete(operation))
///     .otherwise(.get(actor))
/// ```
/// A server takes at most 128 conditions and 128 operations in a branch, and 1.5 MiB in all.
public struct Transaction: Sendable, Equatable {
    /// What has to hold.
    public private(set) var conditions: [Compare] = []
    /// What is done when it does.
    public private(set) var success: [Operation] = []
    /// What is done when it does not.
    public private(set) var failure: [Operation] = []
    /// Whether the transaction may be sent again when it is not known what became of it.
    public private(set) var isGuarded = false

    /// Does nothing yet.
    public init() {}

    /// Adds conditions.
    public func when(_ conditions: Compare...) -> Transaction { when(conditions) }
    /// Adds conditions.
    public func when(_ conditions: [Compare]) -> Transaction { copy { $0.conditions += conditions } }

    /// Adds operations for when all conditions hold.
    public func then(_ operations: Operation...) -> Transaction { then(operations) }
    /// Adds operations for when all conditions hold.
    public func then(_ operations: [Operation]) -> Transaction { copy { $0.success += operations } }

    /// Adds operations for when a condition does not hold.
    public func otherwise(_ operations: Operation...) -> Transaction { otherwise(operations) }
    /// Adds operations for when a condition does not hold.
    public func otherwise(_ operations: [Operation]) -> Transaction { copy { $0.failure += operations } }

    /// Says that the transaction can take effect at most once, however often it is sent: its own success makes one of
    /// its conditions false for ever, as a comparison of a mod revision does. When an attempt ends without an answer, the
    /// client then sends it again. The answer to a repeated one can be "a condition does not hold" because an earlier
    /// attempt succeeded; `TransactionResponse.earlierAttemptMayHaveSucceeded` tells of it.
    public func guarded() -> Transaction { copy { $0.isGuarded = true } }

    /// Whether it only reads.
    public var isReadOnly: Bool {
        (success + failure).allSatisfy { if case .range = $0 { true } else { false } }
    }

    private func copy(_ change: (inout Transaction) -> Void) -> Transaction {
        var copy = self
        change(&copy)
        return copy
    }

    /// One read or write of a transaction. A branch may not change a key twice.
    public enum Operation: Sendable, Equatable {
        /// A read, of the state after the operations before it in the branch.
        case range(RangeRequest)
        /// Stores a value.
        case put(PutRequest)
        /// Deletes what is in a range.
        case deleteRange(DeleteRequest)

        /// Reads one key.
        public static func get(_ key: Key) -> Operation { .range(.key(key)) }
        /// Stores a value, under the lease if one is given.
        public static func put(_ key: Key, _ value: [UInt8], lease: LeaseID? = nil) -> Operation {
            .put(PutRequest(key, value, lease: lease))
        }
        /// Stores a value and leaves the key under the lease it has.
        public static func putKeepingLease(_ key: Key, _ value: [UInt8]) -> Operation {
            var request = PutRequest(key, value)
            request.keepsLease = true
            return .put(request)
        }
        /// Deletes one key.
        public static func delete(_ key: Key) -> Operation { .deleteRange(DeleteRequest(.key(key))) }
        /// Deletes what is in the range.
        public static func deleteRange(_ range: KeyRange) -> Operation { .deleteRange(DeleteRequest(range)) }
    }
}

/// What a transaction did.
public struct TransactionResponse: Sendable, Equatable {
    /// What one operation gave.
    public enum Result: Sendable, Equatable {
        /// What was read.
        case range(RangeResponse)
        /// Something was stored; the pair before it, if that was asked for and there was one.
        case put(previous: KeyValue?)
        /// How many keys were deleted, and the pairs if they were asked for.
        case deleteRange(deleted: Int, previous: [KeyValue])
    }

    /// Whether all conditions held.
    public let succeeded: Bool
    /// The store's revision after it; its writes have this one.
    public let revision: Int64
    /// The results of the branch that was taken, one per operation.
    public let results: [Result]
    /// An earlier attempt of a guarded transaction got no answer: if the conditions did not hold, that may be because it
    /// had succeeded.
    public var earlierAttemptMayHaveSucceeded = false

    /// Creates a response, for those who implement `EtcdStore`.
    public init(succeeded: Bool, revision: Int64, results: [Result]) {
        self.succeeded = succeeded
        self.revision = revision
        self.results = results
    }

    /// The pairs that each read of the branch found, in the order of the reads.
    public var reads: [[KeyValue]] {
        results.compactMap { if case .range(let response) = $0 { response.pairs } else { nil } }
    }
}
