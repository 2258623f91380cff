package import SubstrateModel

/// Invariant 6 as it is seen at the nodes: who runs what. Told of every start and every end in the order in which they
/// happen; a frozen process runs nowhere while it is frozen.
package struct RunningActors: Sendable {
    /// One start of an actor.
    package struct Run: Sendable, Hashable {
        package var actorUID: String
        package var worker: WorkerRef
        package var epoch: Epoch

        package init(actorUID: String, worker: WorkerRef, epoch: Epoch) {
            self.actorUID = actorUID
            self.worker = worker
            self.epoch = epoch
        }
    }

    private var running: [String: Set<Run>] = [:]
    private var lastStarted: [WorkerRef: Epoch] = [:]

    package init() {}

    /// The actor has started to run.
    /// - Parameter revision: of the store at that moment, for the message.
    package mutating func started(_ run: Run, at revision: Int64) -> [Violation] {
        var violations: [Violation] = []
        for other in running[run.actorUID] ?? [] {
            violations.append(
                Violation(
                    .exclusion, at: revision,
                    "actor \(run.actorUID) runs on \(run.worker) under epoch \(run.epoch) and on \(other.worker) under \(other.epoch)"
                ))
        }
        if let last = lastStarted[run.worker], run.epoch <= last {
            violations.append(
                Violation(
                    .exclusion, at: revision,
                    "\(run.worker) has started epoch \(run.epoch) although it had started \(last)"))
        }
        lastStarted[run.worker] = max(run.epoch, lastStarted[run.worker] ?? run.epoch)
        running[run.actorUID, default: []].insert(run)
        return violations
    }

    /// It runs no more: it has ended, was killed, or is frozen.
    package mutating func ended(_ run: Run) {
        running[run.actorUID]?.remove(run)
        if running[run.actorUID]?.isEmpty == true { running[run.actorUID] = nil }
    }

    /// What was frozen runs on.
    package mutating func thawed(_ run: Run, at revision: Int64) -> [Violation] {
        let others = (running[run.actorUID] ?? []).subtracting([run])
        running[run.actorUID, default: []].insert(run)
        return others.map {
            Violation(
                .exclusion, at: revision,
                "actor \(run.actorUID) was thawed on \(run.worker) while it runs on \($0.worker) under \($0.epoch)")
        }
    }
}
