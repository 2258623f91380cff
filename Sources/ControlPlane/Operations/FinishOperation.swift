internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// Brings an operation of this replica to its end that was let go of: by what the node says, under the operation's own
/// token, when the actor is in a transitional state; otherwise it is only left over, and deleted.
struct FinishOperation: Workflow {
    let control: ControlPlane
    let hand: Hand
    let ref: ActorRef

    func run(_ operation: Stored<Operation>) async throws(ControlError) {
        hand.take(operation.value.nonce)
        do {
            let actor = try await store.actor(ref)
            guard let actor, let assignment = actor.value.state.assignment, actor.value.state.isTransitional else {
                return try await store.dropOperation(operation.token, of: ref, actor)
            }
            let rows = try await store.rows(ref, on: assignment.worker)
            // A lost or revoked worker is released without us, and the operation with it. What has changed meanwhile is
            // looked at by the next sweep, if it still has to be.
            guard rows.actor?.modRevision == actor.modRevision, rows.operation?.token == operation.token,
                let binding = rows.binding, !binding.value.isRevoked,
                rows.presence?.incarnation == binding.value.incarnation
            else { return }
            let claim = Claim(
                ref: ref, actor: actor, worker: assignment.worker, binding: binding, token: operation.token)
            try await finish(claim, assignment)
        } catch let error as ControlError {
            throw error
        } catch StoreError.conflict {
            return
        } catch let error as StoreError {
            throw ControlError(error)
        } catch {
            throw .unavailable("\(error)")
        }
    }

    private func finish(_ claim: Claim, _ assignment: Assignment) async throws(ControlError) {
        _ = try await settle(claim) { (nodes, address) throws(NodeFailure) in
            try await nodes.status(StatusRequest(workerUID: assignment.uid), claim.fences, at: address)
        }
    }
}
