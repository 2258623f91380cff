internal import Etcd
package import SubstrateModel

extension Store {
    /// Waits until the operation that has the actor in hand has ended; returns at once when none has.
    /// - Throws: `.etcd` with code `.cancelled` when the task is cancelled.
    package func waitForOperationEnd(
        _ ref: ActorRef, clock: any Clock<Duration> = ContinuousClock()
    ) async throws(StoreError) {
        let key = keys.operation(ref)
        do throws(EtcdError) {
            let response = try await etcd.range(.key(key))
            if response.pairs.isEmpty { return }
            try await etcd.waitForDeletion(of: key, since: response.revision, clock: clock)
        } catch {
            throw StoreError(error)
        }
    }
}
