internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ActorInfo {
    init(_ ref: ActorRef, _ stored: Stored<Actor>) {
        let actor = stored.value
        self.init(
            ref: ref, version: stored.version, template: actor.template, workerSelector: actor.workerSelector,
            status: actor.status, assignment: actor.state.assignment, lastSnapshot: actor.lastSnapshot,
            inProgressSnapshot: actor.state.inProgressSnapshot)
    }
}
