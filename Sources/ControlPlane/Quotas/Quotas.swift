internal import Etcd
internal import SubstrateModel
internal import SubstrateStore

/// How many actors one atespace may have, and how many of them on workers at a time.
///
/// They are looked at before an actor is added, and are no part of the transaction that adds it, which would make all of an
/// atespace wait for each other: as many as are being added in the same moment may come on top.
package struct Quotas: Sendable {
    /// Nil for as many as one likes.
    package var actors: Int?
    /// Those that are bound to a worker, from the claim to the end of the suspend. Nil for as many as there are workers.
    package var running: Int?

    package init() {}
}

extension ControlPlane {
    /// Whether the atespace may have one more actor. One read of etcd where there is a quota, which costs as much as
    /// there are actors in the atespace, and none where not.
    /// - Throws: `ControlError.quotaExceeded`.
    package func checkQuotaOfActors(in atespace: String) async throws(ControlError) {
        guard let quota = options.quotas.actors else { return }
        let count: Int
        do { count = try await store.countActors(in: atespace) } catch { throw ControlError(error) }
        guard count < quota else {
            throw .quotaExceeded("atespace \(atespace) has \(count) actors, and may have \(quota)")
        }
    }

    /// Whether the atespace may have one more actor on a worker, as this replica sees the workers.
    /// - Throws: `ControlError.quotaExceeded`.
    func checkQuotaOfRunningActors(in atespace: String) throws(ControlError) {
        // Those that make golden snapshots are nobody's.
        guard let quota = options.quotas.running, atespace != Atespace.golden else { return }
        let count = inventory.countBound(in: atespace)
        guard count < quota else {
            throw .quotaExceeded(
                "atespace \(atespace) has \(count) actors on workers, and may have \(quota) at a time; suspend one first"
            )
        }
    }
}
