internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore

extension NodeAgent {
    /// Removes, once in a while, local snapshots that no actor wants any more: it was resumed from its external one while
    /// this node was gone, deleted, or released in the middle of a pause. Runs until the task is cancelled.
    func collectLocalSnapshots() async {
        while true {
            await removeUnwantedLocalSnapshots()
            do { try await environment.clock.sleep(for: options.collectionInterval) } catch { return }
        }
    }

    /// Lists first and reads the actors afterwards. The pause that wrote a listed snapshot had begun before, so an actor that
    /// names it neither as its own nor as the one being written never will again: each name is used once.
    private func removeUnwantedLocalSnapshots() async {
        let snapshots = runtime.localSnapshotStore
        for name in await snapshots.all {
            guard let owner = await snapshots.owner(uid: name.actorUID) else { continue }
            do throws(StoreError) {
                if let actor = try await store.actor(owner)?.value, actor.uid == name.actorUID, actor.wants(name) {
                    continue
                }
            } catch {
                environment.log.warning(
                    "cannot tell whether a local snapshot is still wanted, will look again",
                    ["actor": .text(owner), "snapshot": .text(name), "error": .text(error)])
                continue
            }
            await snapshots.remove(name)
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
