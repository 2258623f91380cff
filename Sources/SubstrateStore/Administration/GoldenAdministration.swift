internal import Etcd
package import SubstrateModel

extension Store {
    /// Writes a template's status over the one that was read.
    /// - Returns: whether it did; false when somebody else has changed or deleted the template.
    package func updateTemplate(
        _ stored: Stored<ActorTemplate>, _ status: ActorTemplate.Status
    ) async throws(StoreError) -> Bool {
        var template = stored.value
        template.status = status
        let key = keys.template(template.ref)
        let outcome = try await commit(
            when: [key.modRevision == stored.modRevision], then: [.put(key, try Codec.encode(template, for: key))],
            otherwiseRead: [key])
        if case .applied = outcome { return true }
        return false
    }

    /// Gives a template the golden snapshot that its status names, and deletes the actor that it was taken of, all in one
    /// transaction: at every revision somebody names the snapshot.
    /// - Parameter actor: suspended, as read.
    /// - Returns: whether it did; false when somebody else has changed one of them, or works on the actor.
    package func recordGoldenSnapshot(
        _ stored: Stored<ActorTemplate>, _ status: ActorTemplate.Status, _ ref: ActorRef, _ actor: Stored<Actor>
    ) async throws(StoreError) -> Bool {
        var template = stored.value
        template.status = status
        let keys = (template: keys.template(template.ref), actor: keys.actor(ref))
        let dropped = actor.value.snapshotsDropped(by: nil).filter { $0 != status.goldenSnapshot }
        let outcome = try await commit(
            when: [
                keys.template.modRevision == stored.modRevision, keys.actor.modRevision == actor.modRevision,
                self.keys.operation(ref).isAbsent,
            ],
            then: [.put(keys.template, try Codec.encode(template, for: keys.template)), .delete(keys.actor)]
                + (try note(dropped, of: ref)),
            otherwiseRead: [keys.template, keys.actor])
        if case .applied = outcome { return true }
        return false
    }
}
