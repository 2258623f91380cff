internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// Where an actor is, and how to ask its node about it.
struct ActorPlace: Sendable, Equatable {
    var worker: WorkerRef
    /// The presence's.
    var uid: String
    var stay: Stay
    var agentAddress: String
}

extension ControlPlane {
    /// The worker that has the actor, if it lives. One linearizable read.
    func place(of ref: ActorRef, _ actor: Stored<Actor>) async throws(StoreError) -> ActorPlace? {
        guard let worker = actor.value.state.assignment?.worker else { return nil }
        let rows = try await store.rows(ref, on: worker)
        inventory.take(presence: rows.presence, binding: rows.binding, of: worker, at: rows.revision)
        guard let binding = rows.binding, binding.value.actorUID == actor.value.uid,
            let presence = rows.presence, presence.incarnation == binding.value.incarnation
        else { return nil }
        return ActorPlace(
            worker: worker, uid: presence.value.uid,
            stay: Stay(incarnation: presence.incarnation, epoch: binding.epoch),
            agentAddress: presence.value.agentAddress)
    }

    /// How long what a lost worker has sent last may take to come.
    private static let lastWordsLimit = Duration.seconds(1)

    /// What the node of the place says; nil when its worker is lost and it says no more.
    /// - Throws: `NodeFailure`, or `CancellationError`.
    func unlessLost<Value: Sendable>(
        _ place: ActorPlace, _ ask: @escaping @Sendable () async throws(NodeFailure) -> Value
    ) async throws -> Value? {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await ask() }
            group.addTask { [inventory, environment] in
                await inventory.waitUntilGone(place.worker, place.stay.incarnation)
                try await environment.clock.sleep(for: Self.lastWordsLimit)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }
}
