import Etcd

/// One process's client of etcd, with everything that can happen on the way: requests and answers that come late or never,
/// proposals that are carried out long after their client has given them up, watches that break.
///
/// Its limits and its repetitions are those of `EtcdClient`: an attempt has a second, a call five; what is guarded or only
/// reads is sent again, and what is not is not.
///
/// `@unchecked`: see `Scheduler`.
final class SimulatedEtcd: EtcdStore, @unchecked Sendable {
    let process: SimulatedProcess
    let cluster: EtcdCluster
    let faults: Faults
    let bug: PlantedBug?
    /// Whether it is an agent's, and not a replica's.
    let isNode: Bool
    private var scheduler: Scheduler { process.scheduler }

    private static let attemptLimit: Duration = .seconds(1)
    private static let callLimit: Duration = .seconds(5)

    init(
        _ process: SimulatedProcess, _ cluster: EtcdCluster, _ faults: Faults, _ bug: PlantedBug?,
        isNode: Bool = false
    ) {
        self.isNode = isNode
        self.process = process
        self.cluster = cluster
        self.faults = faults
        self.bug = bug
    }

    // MARK: Calls

    func range(_ request: RangeRequest) async throws(EtcdError) -> RangeResponse {
        let response = try await call(.repeatable) { [cluster] () throws(EtcdError) in
            try cluster.serve { (model) throws(EtcdError) in try model.range(request) }
        }
        return bug?.misreading(response.value, isNode: isNode, cluster.model) ?? response.value
    }

    func transaction(_ transaction: Transaction) async throws(EtcdError) -> TransactionResponse {
        let sent = bug?.tampering(with: transaction, cluster.model) ?? transaction
        let kind: Kind =
            sent.isReadOnly ? .repeatable : sent.isGuarded || bug == .unguardedRetry ? .guarded : .once
        let reply = try await call(kind) { [cluster, faults] () throws(EtcdError) in
            let step = StepKind(sent, cluster.model)
            let response = try cluster.serve { (model) throws(EtcdError) in try model.transaction(sent) }
            if let step { faults.report.count(step, response.succeeded) }
            return response
        }
        var response = reply.value
        response.earlierAttemptMayHaveSucceeded = reply.isRepeated && sent.isGuarded
        return response
    }

    func grantLease(timeToLive: Duration) async throws(EtcdError) -> Lease {
        try await call(.once) { [cluster] () throws(EtcdError) in cluster.grant(timeToLive) }.value
    }

    func keepAlive(_ lease: LeaseID, within limit: Duration) async throws(EtcdError) {
        _ = try await call(.single(limit)) { [cluster, scheduler] () throws(EtcdError) in
            try cluster.serve { (model) throws(EtcdError) in try model.keepAlive(lease, at: scheduler.now) }
        }
    }

    func revoke(_ lease: LeaseID) async throws(EtcdError) {
        _ = try await call(.repeatable) { [cluster] () throws(EtcdError) in
            try cluster.serve { (model) throws(EtcdError) in model.revoke(lease) }
        }
    }

    func watch(_ request: WatchRequest) -> Watch { Watch(source: SimulatedWatch(self, request)) }

    // MARK: Attempts

    private enum Kind {
        /// Harmless however often.
        case repeatable
        case guarded
        case once
        /// One attempt of this length.
        case single(Duration)

        var isRepeated: Bool {
            switch self {
            case .repeatable, .guarded: true
            case .once, .single: false
            }
        }

        /// Whether it does not matter what became of it.
        var isHarmless: Bool { if case .repeatable = self { true } else { false } }
    }

    private struct Reply<Value> {
        var value: Value
        /// An earlier attempt got no answer.
        var isRepeated: Bool
    }

    private func call<Value: Sendable>(
        _ kind: Kind, _ serve: @escaping () throws(EtcdError) -> Value
    ) async throws(EtcdError) -> Reply<Value> {
        var limit = EtcdDeadline.current == nil ? Self.callLimit : .seconds(1)
        if case .single(let given) = kind { limit = min(given, limit) }
        let deadline = scheduler.now + limit
        var isUnresolved = false
        while true {
            let left = deadline - scheduler.now
            if left <= .zero { throw failure(.deadlineExceeded, isUnresolved, kind) }
            switch await attempt(within: min(left, Self.attemptLimit), serve) {
            case nil: throw failure(.cancelled, true, kind)
            case .answered(.success(let value)): return Reply(value: value, isRepeated: isUnresolved)
            case .answered(.failure(let error)): throw error.withOutcomeUnknown(isUnresolved && !kind.isHarmless)
            case .notReached:
                if await process.wait({ again in scheduler.after(.milliseconds(100)) { again(()) } }) == nil {
                    throw failure(.cancelled, isUnresolved, kind)
                }
            case .noAnswer:
                isUnresolved = true
                if !kind.isRepeated { throw failure(.deadlineExceeded, true, kind) }
            }
        }
    }

    private enum Attempt<Value: Sendable>: Sendable {
        case answered(Result<Value, EtcdError>)
        /// It was not sent.
        case notReached
        case noAnswer
    }

    /// Nil when the process dies or the task is cancelled.
    private func attempt<Value: Sendable>(
        within limit: Duration, _ serve: @escaping () throws(EtcdError) -> Value
    ) async -> Attempt<Value>? {
        await process.wait { answer in
            let route = faults.route(to: .etcd)
            if route.isRefused {
                scheduler.after(route.request) { answer(.notReached) }
                return
            }
            scheduler.after(limit) { answer(.noAnswer) }
            guard let arrival = route.arrival(within: limit, &scheduler.random) else { return }
            scheduler.after(arrival) { [self] in
                cluster.whenUp { [self] in
                    let result = Result { () throws(EtcdError) in try serve() }
                    guard let response = route.response else { return }
                    scheduler.after(response) { answer(.answered(result)) }
                }
            }
        }
    }

    private func failure(_ code: EtcdError.Code, _ isUnresolved: Bool, _ kind: Kind) -> EtcdError {
        EtcdError(
            code: code, operation: "call", endpoint: "model", text: "simulated",
            outcome: isUnresolved && !kind.isHarmless ? .unknown : .notApplied)
    }
}

extension EtcdError {
    fileprivate func withOutcomeUnknown(_ isUnknown: Bool) -> EtcdError {
        EtcdError(
            code: code, operation: operation, endpoint: endpoint, text: text,
            outcome: isUnknown ? .unknown : outcome)
    }
}
