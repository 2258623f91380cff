package import Etcd

extension EtcdModel {
    /// Most conditions, and most operations of a branch, that a server takes.
    private static let maximumOperations = 128

    /// Carries out a transaction, or says why a server would refuse it.
    package mutating func transaction(_ transaction: Transaction) throws(EtcdError) -> TransactionResponse {
        try check(transaction)
        let succeeded = transaction.conditions.allSatisfy(holds)
        let branch = succeeded ? transaction.success : transaction.failure
        for case .put(let put) in branch {
            if let lease = put.lease, leases[lease] == nil {
                throw .refused(.leaseNotFound, "requested lease not found")
            }
            if put.keepsLease, pair(put.key) == nil { throw .refused(.invalidRequest, "key not found") }
        }
        var change = Change()
        // Reads of a branch see the writes before them, and all writes have the next revision.
        var results: [TransactionResponse.Result] = []
        for operation in branch {
            switch operation {
            case .range(let request):
                let response = try range(request)
                results.append(
                    .range(
                        RangeResponse(
                            revision: 0, pairs: response.pairs, hasMore: response.hasMore, count: response.count)))
            case .put(let request):
                let previous = put(request, &change)
                results.append(.put(previous: request.returnsPrevious ? previous : nil))
            case .deleteRange(let request):
                let gone = delete(request.range, &change)
                results.append(.deleteRange(deleted: gone.count, previous: request.returnsPrevious ? gone : []))
            }
        }
        commit(change)
        return TransactionResponse(
            succeeded: succeeded, revision: revision,
            results: results.map { result in
                guard case .range(let response) = result else { return result }
                return .range(
                    RangeResponse(
                        revision: revision, pairs: response.pairs, hasMore: response.hasMore, count: response.count))
            })
    }

    /// Whether the condition holds for every key in its range.
    private func holds(_ compare: Compare) -> Bool {
        let found = pairs(in: compare.range)
        if found.isEmpty {
            // A value that is not there compares with nothing; the numbers of a missing key are 0.
            if case .value = compare.target { return false }
            return compare.relation.holds(0, compare.target.number)
        }
        return found.allSatisfy { pair in
            switch compare.target {
            case .version(let number): compare.relation.holds(pair.version, number)
            case .createRevision(let number): compare.relation.holds(pair.createRevision, number)
            case .modRevision(let number): compare.relation.holds(pair.modRevision, number)
            case .lease(let number): compare.relation.holds(pair.lease?.rawValue ?? 0, number)
            case .value(let value): compare.relation.holds(pair.value, value)
            }
        }
    }

    private func check(_ transaction: Transaction) throws(EtcdError) {
        for count in [transaction.conditions.count, transaction.success.count, transaction.failure.count]
        where count > Self.maximumOperations {
            throw .refused(.invalidRequest, "too many operations in txn request")
        }
        for branch in [transaction.success, transaction.failure] {
            var written: Set<Key> = []
            for case .put(let put) in branch where !written.insert(put.key).inserted {
                throw .refused(.invalidRequest, "duplicate key given in txn request")
            }
            for case .deleteRange(let delete) in branch where written.contains(where: delete.range.contains) {
                throw .refused(.invalidRequest, "duplicate key given in txn request")
            }
        }
    }
}

extension Compare.Relation {
    fileprivate func holds(_ left: Int64, _ right: Int64) -> Bool {
        switch self {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .greater: left > right
        }
    }

    fileprivate func holds(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        switch self {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left.lexicographicallyPrecedes(right)
        case .greater: right.lexicographicallyPrecedes(left)
        }
    }
}

extension Compare.Target {
    fileprivate var number: Int64 {
        switch self {
        case .version(let number), .createRevision(let number), .modRevision(let number), .lease(let number): number
        case .value: 0
        }
    }
}
