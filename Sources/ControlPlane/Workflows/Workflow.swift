internal import Etcd
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// What the workflows of one actor have in common: the parts of the control plane they work with.
protocol Workflow: Sendable {
    var control: ControlPlane { get }
    var session: Session { get }
    var ref: ActorRef { get }
}

extension Workflow {
    var store: Store { control.store }
    var inventory: WorkerInventory { control.inventory }
    var environment: Environment { control.environment }

    func newOperation(_ kind: Operation.Kind) -> Operation {
        Operation(kind: kind, owner: session.replica, nonce: environment.chance.id())
    }

    func template(of actor: Actor) async throws(ControlError) -> ActorTemplate {
        let template: ActorTemplate?
        do { template = try await control.catalog.template(actor.template) } catch { throw ControlError(error) }
        guard let template else { throw .templateNotFound(actor.template) }
        return template
    }

    func workload(_ actor: Actor, _ template: ActorTemplate) -> Workload {
        Workload(actor: ref, actorUID: actor.uid, template: template.ref, containers: template.containers)
    }
}

extension Workflow {
    /// Begins an operation, and finds out whether it has begun when etcd gives no answer: it has if the operation with our
    /// nonce is there. An operation that nobody goes on with would keep the actor from everyone.
    func resolving(
        _ operation: Operation, on worker: WorkerRef, _ begin: () async throws(StoreError) -> Claim
    ) async throws(StoreError) -> Claim {
        do {
            return try await begin()
        } catch {
            guard case .etcd(let failure) = error, failure.outcome == .unknown else { throw error }
            guard let claim = try await claim(of: operation, on: worker) else { throw error }
            return claim
        }
    }

    /// What the operation holds, if it is in the store. Reads until there is an answer or the workflow is stopped.
    private func claim(of operation: Operation, on worker: WorkerRef) async throws(StoreError) -> Claim? {
        var backoff = Backoff(from: .milliseconds(20), to: .seconds(1))
        while true {
            do throws(StoreError) {
                let rows = try await store.rows(ref, on: worker)
                guard let stored = rows.operation, stored.value.nonce == operation.nonce, let actor = rows.actor,
                    let binding = rows.binding
                else { return nil }
                return Claim(ref: ref, actor: actor, worker: worker, binding: binding, token: stored.token)
            } catch {
                guard case .etcd(let failure) = error, failure.isRetriable, !Task.isCancelled else { throw error }
                try? await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
            }
        }
    }
}

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
    /// Asks the node that holds the claim, and stops waiting when the worker is lost.
    /// - Throws: `.workerLost`.
    func ask(
        _ claim: Claim,
        _ question: @escaping @Sendable (any NodeAgents, _ address: String) async throws(NodeFailure) -> Receipt
    ) async throws(ControlError) -> Answer {
        let incarnation = claim.binding.value.incarnation
        guard let presence = inventory.row(claim.worker)?.presence, presence.incarnation == incarnation else {
            throw .workerLost(claim.worker)
        }
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
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        if let answer { return answer }
        if Task.isCancelled { throw .unavailable("this replica has lost its lease in etcd") }
        throw .workerLost(claim.worker)
    }
}
