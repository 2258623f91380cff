internal import Etcd
internal import Metrics
internal import ServiceKit
internal import SubstrateModel
internal import SubstrateStore

/// One lost worker with the binding that says whose it was.
struct LostWorker: Sendable {
    var ref: WorkerRef
    var binding: Stored<Binding>
}

extension WorkerPoolSyncer {
    /// The lost workers in batches that fit into a transaction, each actor at most once in a batch.
    func batches(of lost: [(ref: WorkerRef, row: WorkerRow)]) -> [[LostWorker]] {
        var batches: [[LostWorker]] = []
        var open: [LostWorker] = []
        var actors: Set<ActorRef> = []
        for (ref, row) in lost {
            guard let binding = row.binding else { continue }
            if open.count == Store.maximumReleases || actors.contains(binding.value.actor) {
                batches.append(open)
                open = []
                actors = []
            }
            open.append(LostWorker(ref: ref, binding: binding))
            actors.insert(binding.value.actor)
        }
        return open.isEmpty ? batches : batches + [open]
    }

    /// Decides about one batch, and commits. Returns whether nothing is left to be tried again soon.
    ///
    /// The rows of actors are nearly always as they were seen last, so that is tried first; those that have lost their race are
    /// read, and tried once more. There is no loop: what has lost again is still in the set of lost workers, if it still is
    /// one, and is looked at again.
    func release(_ batch: [LostWorker]) async throws(StoreError) -> Bool {
        var left = batch
        let seen = batch.compactMap { known($0.binding.value.actor) }
        if seen.count == batch.count {
            left = try await release(batch, seen.map { .success($0) })
            if left.isEmpty { return true }
        }
        return try await release(left, try await store.actors(left.map(\.binding.value.actor))).isEmpty
    }

    /// - Returns: those that have lost their race.
    private func release(
        _ batch: [LostWorker], _ actors: [Result<Stored<Actor>?, StoreError>]
    ) async throws(StoreError) -> [LostWorker] {
        let policies = try await policies(of: actors)
        let now = environment.wallClock()
        let losses = inventory.losses.open
        var releases: [Release] = []
        for (lost, result) in zip(batch, actors) {
            switch result {
            case .success(let actor):
                let policy = actor.flatMap { policies[$0.value.template] } ?? .revert
                releases.append(
                    releaseActorOnDeadWorker(
                        lost.ref, binding: lost.binding, actor: actor, policy: policy, atMilliseconds: now))
            case .failure(let error):
                // Nobody can say what should become of it. Trying often would not help; the next sweep tries again.
                environment.log.error(
                    "an actor on a lost worker cannot be read and stays there",
                    ["worker": .text(lost.ref), "actor": .text(lost.binding.value.actor), "error": .text(error)])
            }
        }
        var losers: Set<WorkerRef> = []
        for part in store.parts(of: releases) { losers.formUnion(try await commit(part, losses)) }
        return batch.filter { losers.contains($0.ref) }
    }

    private func policies(
        of actors: [Result<Stored<Actor>?, StoreError>]
    ) async throws(StoreError) -> [TemplateRef: OnWorkerLoss] {
        var policies: [TemplateRef: OnWorkerLoss] = [:]
        for case .success(let actor?) in actors where policies[actor.value.template] == nil {
            policies[actor.value.template] = try await policy(actor.value.template)
        }
        return policies
    }

    /// When some have lost their race, the rest goes through without them.
    /// - Returns: those that have not been released.
    private func commit(
        _ releases: [Release], _ losses: [WorkerRef: Loss]
    ) async throws(StoreError) -> Set<WorkerRef> {
        switch try await store.release(releases) {
        case .committed(let revision):
            note(releases, losses, revision)
            return []
        case .refused(let losers):
            let others = releases.filter { !losers.contains($0.worker) }
            if others.isEmpty { return losers }
            switch try await store.release(others) {
            case .committed(let revision):
                note(others, losses, revision)
                return losers
            case .refused: return Set(releases.map(\.worker))
            }
        }
    }

    private func note(_ releases: [Release], _ losses: [WorkerRef: Loss], _ revision: Int64) {
        for release in releases {
            if let loss = losses[release.worker] {
                let result = release.released == nil ? "stale_binding" : "released"
                metrics.releases.add(1, loss.cause.rawValue, result)
                metrics.releaseDuration.observe(loss.since.elapsed())
            }
            inventory.takeUnbound(release.worker, at: revision)
            environment.log.info(
                release.released == nil
                    ? "dropped the stale binding of a lost worker" : "released an actor from a lost worker",
                [
                    "actor": .text(release.binding.value.actor), "worker": .text(release.worker),
                    "status before": .string(release.actor?.value.status.rawValue ?? "none"),
                    "revision": .integer(revision),
                ])
        }
    }
}
