internal import Etcd
internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore

/// The store has been restored from a backup under a replica that ran.
package struct RestoredUnderway: Error, CustomStringConvertible {
    package var description: String {
        "etcd has been restored from a backup while this replica was running: what it knows is of another history, so it has "
            + "to be started again"
    }
}

extension ControlPlane {
    /// Ends only when the store is of another generation than at the beginning. The revisions that this process knows would
    /// keep it from believing anything newer with a smaller one, so it is over.
    /// - Throws: `RestoredUnderway`, or `CancellationError`.
    package func waitForRestore() async throws -> Never {
        var known: Stored<Generation>??
        var backoff = Backoff(from: .milliseconds(100), to: .seconds(2))
        while true {
            do throws(StoreError) {
                if known == nil { known = .some(try await store.generation()) }
                try await store.waitForGeneration(otherThan: known??.value)
            } catch {
                try Task.checkCancellation()
                environment.log.warning("cannot follow the generation", ["error": .text(error)])
                try await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
                continue
            }
            throw RestoredUnderway()
        }
    }
}
