import Etcd
import Simulation

/// A random sequence of calls on a few keys, so that most of them meet something.
struct ContractProgram {
    enum Call {
        case range(RangeRequest)
        case transaction(Transaction, lease: Int?)
        case grant
        case revoke(Int)
        case keepAlive(Int)
        case compact(Int64)
    }

    private var random: SeededRandom
    private var leases = 0
    /// As far as it knows; it need not be exact.
    private var revision: Int64 = 1
    var compacts = true

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    private static let keys: [Key] = ["a", "aa", "ab", "b", "ba", "c"]

    private mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

    mutating func next() -> Call {
        switch below(20) {
        case 0: leases += 1; return .grant
        case 1 where leases > 0: return .revoke(below(leases))
        case 2 where leases > 0: return .keepAlive(below(leases))
        case 3 where compacts: return .compact(max(1, revision - Int64(below(12)) + 1))
        case 4...8: return .range(range())
        default:
            revision += 1
            return .transaction(transaction(), lease: leases > 0 && below(3) == 0 ? below(leases) : nil)
        }
    }

    private mutating func keyRange() -> KeyRange {
        let key = Self.keys[below(Self.keys.count)]
        switch below(4) {
        case 0: return .prefix(key)
        case 1: return .from(key, upTo: "bb")
        default: return .key(key)
        }
    }

    private mutating func range() -> RangeRequest {
        var request = RangeRequest(below(3) == 0 ? .prefix("") : keyRange())
        if below(3) == 0 { request.limit = 1 + below(3) }
        if below(3) == 0 { request.revision = max(1, revision - Int64(below(8)) + 1) }
        if below(4) == 0 { request.keysOnly = true }
        if below(6) == 0 { request.countOnly = true }
        if below(4) == 0 { request.maximumCreateRevision = max(1, revision - Int64(below(8))) }
        if below(5) == 0 { request.minimumModRevision = max(1, revision - Int64(below(8))) }
        // Sorting by what is the same for several leaves their order open.
        if below(4) == 0 { request.sort = below(2) == 0 ? .descending(.key) : .descending(.modRevision) }
        return request
    }

    private mutating func transaction() -> Transaction {
        var transaction = Transaction()
        for _ in 0..<below(3) { transaction = transaction.when(condition()) }
        for _ in 0..<1 + below(3) { transaction = transaction.then(operation()) }
        for _ in 0..<below(3) { transaction = transaction.otherwise(operation()) }
        return transaction
    }

    private mutating func condition() -> Compare {
        let relations: [Compare.Relation] = [.equal, .notEqual, .less, .greater]
        let number = Int64(below(3) == 0 ? 0 : below(12))
        let targets: [Compare.Target] = [
            .version(Int64(below(3))), .createRevision(number), .modRevision(number), .value([UInt8(below(3))]),
            .lease(0),
        ]
        return Compare(keyRange(), relations[below(4)], targets[below(targets.count)])
    }

    private mutating func operation() -> Transaction.Operation {
        switch below(5) {
        case 0: return .range(RangeRequest(keyRange()))
        case 1:
            var delete = DeleteRequest(keyRange())
            delete.returnsPrevious = below(2) == 0
            return .deleteRange(delete)
        default:
            var put = PutRequest(Self.keys[below(Self.keys.count)], [UInt8(below(3))])
            put.returnsPrevious = below(2) == 0
            put.keepsLease = below(6) == 0
            return .put(put)
        }
    }

    /// Watches that between them show all of a history.
    static func watches(upTo last: Int64) -> [WatchRequest] {
        [1, last / 3, last / 2].flatMap { first in
            ([.prefix("a"), .prefix("")] as [KeyRange]).flatMap { range in
                ([nil, .putsOnly, .deletesOnly] as [WatchRequest.Filter?]).map { filter in
                    var request = WatchRequest(range, from: max(1, first))
                    request.includesPrevious = true
                    request.filter = filter
                    return request
                }
            }
        }
    }
}

/// A store under the program: what it answers, in a form in which two stores can be compared.
struct ContractRun {
    private let store: any EtcdStore
    private let compact: (Int64) async throws(EtcdError) -> Void
    private var leases: [LeaseID] = []

    init(_ store: any EtcdStore, compact: @escaping (Int64) async throws(EtcdError) -> Void) {
        self.store = store
        self.compact = compact
    }

    mutating func perform(_ call: ContractProgram.Call) async -> String {
        do throws(EtcdError) {
            switch call {
            case .grant: leases.append(try await store.grantLease(timeToLive: .seconds(600)).id)
            case .revoke(let number): try await store.revoke(leases[number])
            case .keepAlive(let number): try await store.keepAlive(leases[number], within: .seconds(5))
            case .compact(let revision): try await compact(revision)
            case .range(let request): return text(try await store.range(request))
            case .transaction(let transaction, let lease):
                return text(try await store.transaction(transaction.under(lease.map { leases[$0] })))
            }
            return "done"
        } catch {
            return "\(error.code), \(error.outcome)"
        }
    }

    /// Everything that the watch shows up to the store's revision.
    func history(_ request: WatchRequest) async throws -> [String] {
        let marker: Key = "z"
        let end = try await store.transaction(Transaction().then(.put(marker, []))).revision
        _ = try await store.transaction(Transaction().then(.delete(marker)))
        var events: [String] = []
        var wide = request
        if wide.range != .prefix("") { wide.range = .from(request.range.start, upTo: "zz") }
        for try await batch in store.watch(wide) {
            guard case .events(let batch) = batch else { break }
            events += batch.filter { $0.key != marker }.map(text)
            if batch.contains(where: { $0.revision >= end }) { break }
        }
        return events
    }

    // MARK: Leases have other ids in every store

    private func text(_ pair: KeyValue) -> String {
        let lease = pair.lease.map { id in "lease \(leases.firstIndex(of: id) ?? -1)" } ?? "-"
        return "\(pair.key)=\(pair.value) \(pair.createRevision)/\(pair.modRevision)/\(pair.version) \(lease)"
    }

    private func text(_ response: RangeResponse) -> String {
        "at \(response.revision): \(response.pairs.map(text)) of \(response.count), more: \(response.hasMore)"
    }

    private func text(_ response: TransactionResponse) -> String {
        let results = response.results.map { result in
            switch result {
            // The revision in the header of an operation means nothing.
            case .range(let range): "\(range.pairs.map(text)) of \(range.count), more: \(range.hasMore)"
            case .put(let previous): "put over \(previous.map(text) ?? "nothing")"
            case .deleteRange(let deleted, let previous): "deleted \(deleted) \(previous.map(text))"
            }
        }
        return "\(response.succeeded) at \(response.revision): \(results)"
    }

    private func text(_ event: WatchEvent) -> String {
        switch event {
        case .put(let pair, let previous): "put \(text(pair)) over \(previous.map(text) ?? "nothing")"
        case .delete(let key, let revision, let previous):
            "delete \(key) at \(revision), was \(previous.map(text) ?? "nothing")"
        }
    }
}

extension Transaction {
    /// With all its puts under a lease.
    fileprivate func under(_ lease: LeaseID?) -> Transaction {
        func leased(_ operations: [Operation]) -> [Operation] {
            operations.map { operation in
                guard case .put(var put) = operation, !put.keepsLease else { return operation }
                put.lease = lease
                return .put(put)
            }
        }
        return Transaction().when(conditions).then(leased(success)).otherwise(leased(failure))
    }
}
