package import Etcd
package import ServiceKit
package import SubstrateModel

/// Follows the state of a range as `listThenWatch` does, and begins anew, with a listing, whenever that has failed. Returns
/// when the task is cancelled.
package func follow(
    _ range: KeyRange, of etcd: any EtcdStore, _ environment: Environment,
    listed: (Listing) async -> Void, changed: ([WatchEvent]) async -> Void
) async {
    var backoff = Backoff(from: .milliseconds(50), to: .seconds(1))
    while !Task.isCancelled {
        do {
            var isFirst = true
            for try await update in etcd.listThenWatch(range) {
                switch update {
                case .listed(let listing):
                    backoff.reset()
                    if !isFirst {
                        environment.log.info(
                            "the history was compacted under the watch: listed again",
                            ["range": .text(range), "revision": .integer(listing.revision)])
                    }
                    isFirst = false
                    await listed(listing)
                case .changed(let events): await changed(events)
                }
            }
        } catch {
            if Task.isCancelled { return }
            environment.log.warning("cannot follow the store", ["range": .text(range), "error": .string("\(error)")])
            try? await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
        }
    }
}

extension Store {
    /// Waits until the actor's row has changed since the revision; or has been forgotten what happened since then, so that it
    /// may have.
    package func waitForChange(of ref: ActorRef, since revision: Int64) async throws(StoreError) {
        do throws(EtcdError) {
            for try await _ in etcd.watch(.key(keys.actor(ref)), from: revision + 1) { return }
        } catch {
            throw StoreError(error)
        }
    }
}
