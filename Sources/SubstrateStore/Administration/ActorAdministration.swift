internal import Etcd
package import SubstrateModel

extension Store {
    package enum CreateActorOutcome: Sendable, Equatable {
        case created(Stored<Actor>)
        case alreadyExists
        case noAtespace
    }

    /// Creates an actor, if its atespace exists and it does not.
    package func createActor(_ ref: ActorRef, _ actor: Actor) async throws(StoreError) -> CreateActorOutcome {
        let key = keys.actor(ref)
        let atespace = keys.atespace(ref.atespace)
        let outcome = try await once(
            when: [key.isAbsent, atespace.isPresent], then: [.put(key, try Codec.encode(actor, for: key))],
            otherwiseRead: [key, atespace])
        switch outcome {
        case .applied(let revision): return .created(.created(actor, at: revision))
        case .refused(_, let pairs):
            if pairs[atespace] == nil { return .noAtespace }
            return .alreadyExists
        }
    }

    /// Writes a changed actor over the one that was read.
    /// - Throws: `.conflict` when somebody else has changed or deleted it.
    package func updateActor(
        _ ref: ActorRef, from actor: Stored<Actor>, to changed: Actor
    ) async throws(StoreError) -> Stored<Actor> {
        let key = keys.actor(ref)
        let revision = try await step(
            ref, on: nil, when: [key.modRevision == actor.modRevision],
            then: try replace(ref, actor.value, with: changed))
        return actor.updated(changed, at: revision)
    }

    /// Deletes a suspended actor as it was read, unless an operation has it in hand.
    /// - Throws: `.conflict` when somebody else has changed it or works on it.
    package func deleteActor(_ ref: ActorRef, _ actor: Stored<Actor>) async throws(StoreError) {
        let key = keys.actor(ref)
        _ = try await step(
            ref, on: nil, when: [key.modRevision == actor.modRevision, keys.operation(ref).isAbsent],
            then: try replace(ref, actor.value, with: nil))
    }
}
