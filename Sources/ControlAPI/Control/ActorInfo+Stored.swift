internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ActorInfo {
    init(_ ref: ActorRef, _ stored: Stored<Actor>) {
        let actor = stored.value
        self.init(
            ref: ref, version: stored.version, template: actor.template, workerSelector: actor.workerSelector,
            status: actor.status, assignment: actor.state.assignment, lastSnapshot: actor.lastSnapshot,
            localSnapshot: actor.localSnapshot.map { LocalSnapshotInfo(prefix: $0.name.text, nodes: [$0.node]) },
            inProgressSnapshot: actor.state.inProgressSnapshot?.text, lastFailure: actor.lastFailure,
            lastRecovery: actor.lastRecovery,
            lastFallback: actor.lastFallback.map {
                FallbackInfo(
                    node: $0.snapshot.node, prefix: $0.snapshot.name.text, reason: $0.reason.rawValue,
                    atMilliseconds: $0.atMilliseconds)
            })
    }

    /// At least as many bytes as the message takes: its texts, with 6 bytes for tag and length of each of at most 20 fields
    /// and a few for each label and node.
    var estimatedBytes: Int {
        let texts = [
            ref.atespace, ref.name, template.namespace, template.name, lastSnapshot?.text ?? "",
            lastSnapshot?.text ?? "", inProgressSnapshot ?? "", localSnapshot?.prefix ?? "",
            assignment?.worker.pool.namespace ?? "",
            assignment?.worker.pool.name ?? "", assignment?.worker.pod ?? "", assignment?.uid ?? "",
            assignment?.address?.ip ?? "", lastFailure?.message ?? "", lastFallback?.prefix ?? "",
            lastFallback?.node ?? "", lastFallback?.reason ?? "",
        ]
        let nodes = (localSnapshot?.nodes ?? []).reduce(0) { $0 + $1.utf8.count + 6 }
        let workers = [lastFailure?.worker, lastRecovery?.worker].compactMap { $0 }
        let history = workers.reduce(0) {
            $0 + $1.pool.namespace.utf8.count + $1.pool.name.utf8.count + $1.pod.utf8.count + 50
        }
        let labels = workerSelector.matchLabels.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 12 }
        return texts.reduce(labels + nodes + history + 140) { $0 + $1.utf8.count }
    }
}
