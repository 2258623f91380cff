package import ControlPlane

extension WorkerPoolSyncer {
    /// What a replica does that leads, without the election.
    package func runAndRelease() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.run() }
            group.addTask { await self.releaseLostWorkers() }
        }
    }
}
