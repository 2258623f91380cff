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
            inProgressSnapshot: actor.state.inProgressSnapshot?.text)
    }
}
