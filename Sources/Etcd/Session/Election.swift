/// A leadership that is held.
public struct Leadership: Sendable {
    let candidate: Candidate

    /// The key that stands for it.
    public var key: Key { candidate.key }
    /// A number that is greater for every later leader: the term of this one.
    public var revision: Int64 { candidate.revision }
    /// Holds while the leadership is held: a transaction with this condition has no effect once somebody else may lead.
    public var fence: Compare { candidate.fence }

    /// Changes what observers are told of the leader.
    /// - Throws: `SessionLost` when the leadership is gone, `EtcdError`.
    public func proclaim(_ value: [UInt8]) async throws {
        // Putting the same value twice is the same as putting it once.
        let response = try await candidate.store.transaction(
            Transaction().when(fence).then(.putKeepingLease(key, value)).guarded())
        if !response.succeeded { throw SessionLost.keyDeleted(key) }
    }
}

extension Session {
    /// Leads while some work is done, after waiting for those who campaigned before. The leadership is resigned when the work
    /// has ended, also when the task is cancelled, and it is lost with the session.
    /// - Parameters:
    ///   - name: the election; the keys of its candidates are `<name>/<lease>-…`.
    ///   - value: what observers are told of this leader.
    ///   - label: keeps two candidates of one session apart: unique among them, random unless given. When this fails, because
    ///     etcd cannot be reached, a candidate may be left until the session ends; whoever tries again within the session gives
    ///     the same label, and goes on in its place instead of waiting behind it.
    /// - Throws: `SessionLost` when the leadership was taken away, `EtcdError` when the campaign failed, and what `body`
    ///   throws.
    public func withLeadership<Value: Sendable>(
        of name: Key, value: [UInt8] = [], label: String? = nil,
        _ body: @escaping @Sendable (Leadership) async throws -> Value
    ) async throws -> Value {
        let candidate = try await Candidate.join(name, value, label ?? Candidate.randomLabel(), self)
        return try await candidate.hold { try await body(Leadership(candidate: candidate)) }
    }
}

/// Who leads.
public struct Leader: Sendable, Equatable {
    /// The key that stands for the leadership.
    public let key: Key
    /// The leader's term, greater for every later one.
    public let revision: Int64
    /// What it says of itself.
    public let value: [UInt8]
}

/// The leader of an election, whenever it changes or says something else of itself; nil when there is none. The first
/// element is the state at the beginning. Changes that follow each other fast may be seen as one.
public struct Leaders: AsyncSequence, Sendable {
    /// What it delivers.
    public typealias Element = Leader?
    /// Errors of `ListThenWatch`.
    public typealias Failure = EtcdError

    let updates: ListThenWatch

    /// Starts with the present leader.
    public func makeAsyncIterator() -> Iterator { Iterator(updates: updates.makeAsyncIterator()) }

    /// Reads change by change.
    public struct Iterator: AsyncIteratorProtocol {
        var updates: ListThenWatch.Iterator
        private var candidates: [Key: KeyValue] = [:]
        private var last: Leader??

        init(updates: ListThenWatch.Iterator) { self.updates = updates }

        /// The next leader.
        public mutating func next(isolation: isolated (any Actor)? = #isolation) async throws(EtcdError) -> Leader?? {
            while let update = try await updates.next() {
                apply(update)
                let first = candidates.values.min { $0.createRevision < $1.createRevision }
                let leader = first.map { Leader(key: $0.key, revision: $0.createRevision, value: $0.value) }
                if last != .some(leader) {
                    last = .some(leader)
                    return .some(leader)
                }
            }
            return nil
        }

        private mutating func apply(_ update: RangeUpdate) {
            switch update {
            case .listed(let listing):
                candidates = Dictionary(uniqueKeysWithValues: listing.pairs.map { ($0.key, $0) })
            case .changed(let events):
                for event in events {
                    switch event {
                    case .put(let pair, _): candidates[pair.key] = pair
                    case .delete(let key, _, _): candidates[key] = nil
                    }
                }
            }
        }
    }
}

extension EtcdStore {
    /// The leaders of an election, one after the other.
    public func leaders(of name: Key) -> Leaders {
        Leaders(updates: listThenWatch(.prefix(Key(bytes: name.bytes + Array("/".utf8)))))
    }
}
