import SubstrateModel
import Testing

@Suite struct ActorTransitionTests {
    static let assignment = Assignment(
        worker: WorkerRef(pool: PoolRef(namespace: "default", name: "pool"), pod: "node-0"), uid: "uid",
        address: ActorAddress(ip: "127.0.0.1", port: 80))
    static let snapshot = SnapshotURI("file:///s/uid/1")
    static let other = SnapshotURI("file:///s/uid/2")

    static let states: [ActorState] = [
        .suspended, .resuming(assignment), .running(assignment), .suspending(assignment, snapshot: snapshot),
    ]

    static let events: [ActorEvent] = [
        .claimed(assignment), .runningConfirmed, .resumeUndone, .suspendBegan(snapshot: snapshot),
        .suspended(snapshot: snapshot), .suspended(snapshot: other), .suspendAbandoned, .workerLost(atMilliseconds: 7),
    ]

    /// Every legal step; whatever is not here is refused.
    static func next(_ state: ActorState, _ event: ActorEvent) -> ActorState? {
        switch (state.status, event) {
        case (.suspended, .claimed): .resuming(assignment)
        case (.resuming, .runningConfirmed), (.suspending, .runningConfirmed): .running(assignment)
        case (.resuming, .resumeUndone): .suspended
        case (.running, .suspendBegan(let snapshot)): .suspending(assignment, snapshot: snapshot)
        case (.suspending, .suspended(snapshot)): .suspended
        case (.suspending, .suspendAbandoned): .suspended
        case (.resuming, .workerLost), (.running, .workerLost), (.suspending, .workerLost): .suspended
        default: nil
        }
    }

    @Test(arguments: states, events) func theTableIsThis(state: ActorState, event: ActorEvent) throws {
        var actor = Actor(uid: "uid", template: TemplateRef(namespace: "n", name: "t"))
        actor.state = state
        actor.lastSnapshot = Self.other
        guard let expected = Self.next(state, event) else {
            #expect(throws: IllegalTransition(state: state, event: event)) { try actor.transition(event) }
            return
        }
        let next = try actor.transition(event)
        #expect(next.state == expected)
        // Promoted only by the receipt for this very snapshot.
        #expect(next.lastSnapshot == (event == .suspended(snapshot: Self.snapshot) ? Self.snapshot : Self.other))
        if case .workerLost = event {
            #expect(
                next.lastRecovery
                    == Recovery(worker: Self.assignment.worker, statusBefore: state.status, releasedAtMilliseconds: 7))
        } else {
            #expect(next.lastRecovery == nil)
        }
        #expect(next.uid == actor.uid && next.template == actor.template)
    }

    @Test func snapshotsAreNamedAfterTheActorAndTheNonce() {
        for location in ["file:///s", "file:///s/"] {
            #expect(SnapshotURI(location: location, actorUID: "u", nonce: "n").text == "file:///s/u/n")
        }
    }

    @Test func pathsOfFileURIsDoNotGoUp() {
        #expect(SnapshotURI("file:///a/b").filePath == "/a/b")
        for bad in [
            "gs://a/b", "/a", "file://a/b", "file:///a/../b", "file:///./a", "file:///a\nb", "file:///a\u{7f}", "",
        ] {
            #expect(SnapshotURI(bad).filePath == nil, "\(bad)")
        }
    }
}
