internal import Etcd
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// What the workflows of one actor have in common: the parts of the control plane they work with.
protocol Workflow: Sendable {
    var control: ControlPlane { get }
    var hand: Hand { get }
    var ref: ActorRef { get }
}

extension Workflow {
    var store: Store { control.store }
    var inventory: WorkerInventory { control.inventory }
    var environment: Environment { control.environment }

    var session: ReplicaSession { hand.session }

    func newOperation(_ kind: Operation.Kind) -> Operation {
        let operation = Operation(kind: kind, owner: session.replica, nonce: environment.chance.id())
        hand.take(operation.nonce)
        return operation
    }

    func template(of actor: Actor) async throws(ControlError) -> ActorTemplate {
        let template: ActorTemplate?
        do { template = try await control.catalog.template(actor.template) } catch { throw ControlError(error) }
        guard let template else { throw .templateNotFound(actor.template) }
        return template
    }

    func workload(_ actor: Actor, _ template: ActorTemplate) -> Workload {
        Workload(
            actor: ref, actorUID: actor.uid, template: template.ref, containers: template.containers,
            sandboxRules: template.sandboxRules)
    }
}

extension Workflow {
    /// Begins an operation, and finds out whether it has begun when etcd gives no answer, or tells of a conflict that may be
    /// with our own first attempt: it has if the operation with our nonce is there. An operation that nobody goes on with
    /// would keep the actor from everyone.
    /// - Returns: what the operation holds. That may be another worker than the one of this attempt: an earlier one with the
    ///   same operation was refused, and a copy of its request that was late on the way has gone through after all.
    func resolving(
        _ operation: Operation, on worker: WorkerRef, _ begin: () async throws(StoreError) -> Claim
    ) async throws(StoreError) -> Claim {
        do {
            return try await begin()
        } catch {
            let rows: Rows
            switch error {
            case .conflict(let conflicting): rows = conflicting
            case .etcd(let failure) where failure.outcome == .unknown:
                rows = try await insisting { () throws(StoreError) in try await store.rows(ref, on: worker) }
            default: throw error
            }
            guard let claim = try await claim(of: operation, rows, on: worker) else { throw error }
            return claim
        }
    }

    /// What the operation holds, if it is there.
    /// - Parameter rows: of the actor, with those of this worker.
    private func claim(
        of operation: Operation, _ rows: Rows, on worker: WorkerRef
    ) async throws(StoreError) -> Claim? {
        var (rows, worker) = (rows, worker)
        while let stored = rows.operation, stored.value.nonce == operation.nonce, let actor = rows.actor,
            let held = actor.value.state.assignment?.worker
        {
            if held == worker {
                guard let binding = rows.binding, binding.value.actorUID == actor.value.uid else { return nil }
                return Claim(ref: ref, actor: actor, worker: held, binding: binding, token: stored.token)
            }
            // What the rows say of the other worker is about somebody else.
            rows = try await insisting { () throws(StoreError) in try await store.rows(ref, on: held) }
            worker = held
        }
        return nil
    }

    /// Calls etcd until it answers, for as long as this replica has its lease, whatever the reason: an operation of a living
    /// replica keeps everybody else from the actor, so its workflow may not end before it.
    func insisting<Value>(_ call: () async throws(StoreError) -> Value) async throws(StoreError) -> Value {
        var backoff = Backoff(from: .milliseconds(20), to: .seconds(1))
        while true {
            do throws(StoreError) {
                return try await call()
            } catch {
                guard case .etcd(let failure) = error, failure.code != .cancelled else { throw error }
                environment.log.warning(
                    "a workflow cannot go on, will try again", ["actor": .text(ref), "error": .text(error)])
                // Tasks of workflows are cancelled when the lease is lost.
                do { try await environment.clock.sleep(for: environment.chance.jittered(backoff.pause())) } catch {
                    throw .sessionLost
                }
            }
        }
    }
}

/// A call to the node at an address.
typealias Question = @Sendable (any NodeAgents, _ address: String) async throws(NodeFailure) -> Receipt

/// What came of asking a node.
enum Answer: Sendable {
    case receipt(Receipt)
    case failure(NodeFailure)

    /// The node's word, whether it came with success or with an error.
    var receipt: Receipt? {
        switch self {
        case .receipt(let receipt): receipt
        case .failure(let failure): failure.receipt
        }
    }

    var failure: NodeFailure? { if case .failure(let failure) = self { failure } else { nil } }
}

extension Workflow {
    /// Asks the node that holds the claim, and stops waiting when the time is up or the worker is lost.
    /// - Throws: `.workerLost`.
    func ask(_ claim: Claim, within limit: Duration, _ question: @escaping Question) async throws(ControlError)
        -> Answer
    {
        let incarnation = claim.binding.value.incarnation
        let presence = try await presence(of: claim)
        let answer = await withTaskGroup(of: Answer?.self) { group in
            group.addTask { [control] in
                do throws(NodeFailure) {
                    return .receipt(try await question(control.nodes, presence.value.agentAddress))
                } catch {
                    return .failure(error)
                }
            }
            group.addTask { [inventory] in
                await inventory.waitUntilGone(claim.worker, incarnation)
                return nil
            }
            group.addTask { [environment] in
                try? await environment.clock.sleep(for: limit)
                return .failure(.outOfTime(claim.worker))
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        if let answer { return answer }
        if Task.isCancelled { throw .unavailable("this replica has lost its lease in etcd") }
        throw .workerLost(claim.worker)
    }
    /// The presence that the claim is on. The inventory may lag behind the store, or not have been listed yet: a worker
    /// counts as lost only on the store's own word, because upon it the operation is left to the release.
    private func presence(of claim: Claim) async throws(ControlError) -> Stored<Presence> {
        let incarnation = claim.binding.value.incarnation
        if let known = inventory.row(claim.worker)?.presence, known.incarnation == incarnation { return known }
        let rows: Rows
        do {
            rows = try await insisting { () throws(StoreError) in try await store.rows(ref, on: claim.worker) }
        } catch {
            throw ControlError(error)
        }
        inventory.take(presence: rows.presence, binding: rows.binding, of: claim.worker, at: rows.revision)
        guard let presence = rows.presence, presence.incarnation == incarnation else {
            throw .workerLost(claim.worker)
        }
        return presence
    }
}
