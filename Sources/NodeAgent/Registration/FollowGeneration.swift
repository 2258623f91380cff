internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore

extension NodeAgent {
    /// Returns when etcd has been restored from a backup, or the task is cancelled.
    ///
    /// All fences of the workers are revisions, which the restore has rewound: those of calls that are still under way could
    /// come again. The caller then ends everything and registers anew, which begins with new fences. That the agent remembers
    /// the generation only while it runs is enough: its start kills whatever it finds.
    func followGeneration(_ generation: Generation?) async {
        var backoff = Backoff(from: .milliseconds(100), to: .seconds(2))
        while !Task.isCancelled {
            do throws(StoreError) {
                try await store.waitForGeneration(otherThan: generation)
                return environment.log.error(
                    "etcd has been restored from a backup: killing all actors", ["node": .string(options.node)])
            } catch {
                if Task.isCancelled { return }
                environment.log.warning("cannot follow the generation", ["error": .text(error)])
                try? await environment.clock.sleep(for: environment.chance.jittered(backoff.pause()))
            }
        }
    }
}
