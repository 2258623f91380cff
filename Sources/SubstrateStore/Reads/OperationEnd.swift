internal import Etcd
package import SubstrateModel

extension Store {
    /// Waits until no operation has the actor in hand; returns at once when none has.
    /// - Throws: `.etcd` with code `.cancelled` when the task is cancelled.
    package func waitForOperationEnd(_ ref: ActorRef) async throws(StoreError) {
        let key = keys.operation(ref)
        do throws(EtcdError) {
            while true {
                let response = try await etcd.range(.key(key))
                if response.pairs.isEmpty { return }
                let watch = etcd.watch(.key(key), from: response.revision + 1)
                batches: for try await batch in watch {
                    // A compaction has taken what the watch needs: look again.
                    guard case .events(let events) = batch else { break batches }
                    for case .delete in events { return }
                }
            }
        } catch {
            throw StoreError(error)
        }
    }
}
