internal import Etcd
internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension Workflow {
    /// Takes over an actor in a transitional state whose operation is gone with its replica, and brings it to a stable
    /// state by what the node says under the new operation.
    /// - Throws: `.operationInProgress` when the operation is there: somebody works on it.
    func adopt(_ actor: Stored<Actor>) async throws(ControlError) -> Stored<Actor> {
        guard let assignment = actor.value.state.assignment else { return actor }
        let claim: Claim
        do {
            let rows = try await store.rows(ref, on: assignment.worker)
            guard let fresh = rows.actor else { throw ControlError.actorNotFound(ref) }
            if rows.operation != nil { throw ControlError.operationInProgress }
            if fresh.modRevision != actor.modRevision { return fresh }
            inventory.take(presence: rows.presence, binding: rows.binding, of: assignment.worker, at: rows.revision)
            // A lost or revoked one is released without us.
            guard let binding = rows.binding, !binding.value.isRevoked,
                rows.presence?.incarnation == binding.value.incarnation
            else { throw ControlError.workerLost(assignment.worker) }
            let operation = newOperation(.adopt)
            claim = try await resolving(operation, on: assignment.worker) { () throws(StoreError) in
                try await store.adopt(
                    ref, fresh, worker: assignment.worker, binding: binding, operation: operation,
                    lease: session.lease)
            }
        } catch StoreError.conflict(let rows) {
            guard let fresh = rows.actor else { throw .actorNotFound(ref) }
            if rows.operation != nil { throw .operationInProgress }
            return fresh
        } catch let error as StoreError {
            throw ControlError(error)
        } catch let error as ControlError {
            throw error
        } catch {
            throw .unavailable("\(error)")
        }
        environment.log.info(
            "adopted an abandoned operation",
            ["actor": .text(ref), "worker": .text(claim.worker), "status": .string(actor.value.status.rawValue)])
        return try await measured(.adopt) { () throws(ControlError) in
            try await settle(claim) { (nodes, address) throws(NodeFailure) in
                try await nodes.status(StatusRequest(workerUID: assignment.uid), claim.fences, at: address)
            }.actor
        }
    }
}
