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

    /// What is known of an actor.
    typealias ActorRow = Result<Stored<Actor>?, StoreError>

    /// Decides about one batch, and commits. Returns whether nothing is left to be tried again soon.
    ///
    /// The rows of actors are nearly always as they were seen last, so these are tried. Where a row has changed since, the
    /// refusal says what it is now, and that is tried once. There is no loop: what has lost again is still in the set of lost
    /// workers, if it still is one, and is looked at again.
    /// - Parameter reading: reads the rows, although they have been seen.
    func release(_ batch: [LostWorker], reading: Bool) async throws(StoreError) -> Bool {
        let actors = try await actors(of: batch, reading: reading)
        let losers = try await release(batch, actors)
        let changed = zip(batch, actors).compactMap { lost, actor -> (LostWorker, ActorRow)? in
            guard let now = losers[lost.ref], Self.revision(of: now) != Self.revision(of: actor) else { return nil }
            return (lost, now)
        }
        if changed.isEmpty { return losers.isEmpty }
        let again = try await release(changed.map(\.0), changed.map(\.1))
        return again.isEmpty && changed.count == losers.count
    }

    private static func revision(of actor: ActorRow) -> Int64? { (try? actor.get())?.modRevision }

    private func actors(of batch: [LostWorker], reading: Bool) async throws(StoreError) -> [ActorRow] {
        let refs = batch.map(\.binding.value.actor)
        let seen = reading ? [] : refs.compactMap(known)
        return seen.count == refs.count ? seen.map { .success($0) } : try await store.actors(refs)
    }

    /// - Returns: those that have lost their race.
    private func release(
        _ batch: [LostWorker], _ actors: [ActorRow]
    ) async throws(StoreError) -> [WorkerRef: ActorRow] {
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
        var losers: [WorkerRef: ActorRow] = [:]
        for part in store.parts(of: releases) { losers.merge(try await commit(part, losses)) { $1 } }
        return losers
    }

    private func policies(
        of actors: [ActorRow]
    ) async throws(StoreError) -> [TemplateRef: OnWorkerLoss] {
        var policies: [TemplateRef: OnWorkerLoss] = [:]
        for case .success(let actor?) in actors where policies[actor.value.template] == nil {
            policies[actor.value.template] = try await policy(actor.value.template)
        }
        return policies
    }

    /// When some have lost their race, the rest goes through without them.
    /// - Returns: those that have lost.
    private func commit(
        _ releases: [Release], _ losses: [WorkerRef: Loss]
    ) async throws(StoreError) -> [WorkerRef: ActorRow] {
        switch try await store.release(releases) {
        case .committed(let revision):
            note(releases, losses, revision)
            return [:]
        case .refused(var losers):
            let others = releases.filter { losers[$0.worker] == nil }
            if others.isEmpty { return losers }
            switch try await store.release(others) {
            case .committed(let revision): note(others, losses, revision)
            case .refused: for other in others { losers[other.worker] = .success(other.actor) }
            }
            return losers
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
