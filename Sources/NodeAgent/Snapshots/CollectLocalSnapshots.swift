internal import Etcd
internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore

extension NodeAgent {
    /// Removes, once in a while, local snapshots that no actor wants any more: it was resumed from its external one while
    /// this node was gone, deleted, or released in the middle of a pause. Runs until the task is cancelled.
    ///
    /// Not at once: an etcd that knows nothing of the actors may be the wrong one, or restored from an old backup.
    func collectLocalSnapshots() async {
        var unwanted: [LocalSnapshotName: Stopwatch] = [:]
        while true {
            await removeUnwantedLocalSnapshots(&unwanted)
            do { try await environment.clock.sleep(for: options.collectionInterval) } catch { return }
        }
    }

    /// Lists first and reads the actors afterwards. The pause that wrote a listed snapshot had begun before, so an actor that
    /// names it neither as its own nor as the one being written never will again: each name is used once.
    private func removeUnwantedLocalSnapshots(_ unwanted: inout [LocalSnapshotName: Stopwatch]) async {
        let snapshots = runtime.localSnapshotStore
        let all = await snapshots.all
        unwanted = unwanted.filter { all.contains($0.key) }
        for name in all {
            guard let owner = await snapshots.owner(uid: name.actorUID) else { continue }
            do throws(StoreError) {
                if let actor = try await store.actor(owner)?.value, actor.uid == name.actorUID, actor.wants(name) {
                    unwanted[name] = nil
                    continue
                }
            } catch {
                environment.log.warning(
                    "cannot tell whether a local snapshot is still wanted, will look again",
                    ["actor": .text(owner), "snapshot": .text(name), "error": .text(error)])
                continue
            }
            let since = unwanted[name] ?? environment.clock.stopwatch()
            unwanted[name] = since
            guard since.elapsed() >= options.localSnapshotRetention else { continue }
            await snapshots.remove(name)
            unwanted[name] = nil
            environment.log.info(
                "removed a local snapshot that no actor wants", ["actor": .text(owner), "snapshot": .text(name)])
        }
    }
}

extension Actor {
    fileprivate func wants(_ name: LocalSnapshotName) -> Bool {
        localSnapshot?.name == name || state.inProgressSnapshot == .local(name)
    }
}
