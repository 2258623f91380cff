import SubstrateModel
import Testing

@Suite struct ActorTransitionTests {
    static let claimed = Assignment(
        worker: WorkerRef(pool: PoolRef(namespace: "default", name: "pool"), pod: "node-0"), uid: "uid")
    static let address = ActorAddress(ip: "127.0.0.1", port: 80)
    static let assignment = Assignment(worker: claimed.worker, uid: claimed.uid, address: address)
    static let snapshot = SnapshotURI("file:///s/uid/1")
    static let other = SnapshotURI("file:///s/uid/2")

    static let local = LocalSnapshot(name: name("1"), node: "node", directoryID: "directory")
    static let otherName = name("2")

    private static func name(_ nonce: String) -> LocalSnapshotName {
        guard let name = LocalSnapshotName(actorUID: "uid", nonce: nonce) else {
            preconditionFailure("\(nonce) is not a name")
        }
        return name
    }

    static let states: [ActorState] = [
        .suspended, .paused, .resuming(claimed, from: .suspended), .resuming(claimed, from: .paused),
        .running(assignment), .suspending(assignment, snapshot: snapshot), .pausing(assignment, snapshot: local),
    ]

    static let events: [ActorEvent] = [
        .claimed(claimed), .runningConfirmed(at: address), .resumeUndone(), .suspendBegan(snapshot: snapshot),
        .suspended(snapshot: snapshot), .suspended(snapshot: other), .pauseBegan(snapshot: local),
        .paused(snapshot: local.name), .paused(snapshot: otherName), .abandoned, .workerLost(atMilliseconds: 7),
    ]

    /// Every legal step; whatever is not here is refused.
    static func next(_ state: ActorState, _ event: ActorEvent) -> ActorState? {
        switch (state.status, event) {
        case (.suspended, .claimed): .resuming(claimed, from: .suspended)
        case (.paused, .claimed): .resuming(claimed, from: .paused)
        case (.resuming, .runningConfirmed), (.suspending, .runningConfirmed), (.pausing, .runningConfirmed):
            .running(assignment)
        case (.resuming, .resumeUndone): state == .resuming(claimed, from: .paused) ? .paused : .suspended
        case (.running, .suspendBegan): .suspending(assignment, snapshot: snapshot)
        case (.running, .pauseBegan): .pausing(assignment, snapshot: local)
        case (.suspending, .suspended(snapshot)): .suspended
        case (.pausing, .paused(local.name)): .paused
        case (.suspending, .abandoned), (.pausing, .abandoned): .suspended
        case (.resuming, .workerLost), (.running, .workerLost), (.suspending, .workerLost), (.pausing, .workerLost):
            .suspended
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
        #expect(next.localSnapshot == (event == .paused(snapshot: Self.local.name) ? Self.local : nil))
        if case .workerLost = event {
            #expect(
                next.lastRecovery
                    == Recovery(worker: Self.assignment.worker, statusBefore: state.status, releasedAtMilliseconds: 7))
        } else {
            #expect(next.lastRecovery == nil)
        }
        #expect(next.uid == actor.uid && next.template == actor.template)
    }

    /// An actor with a local snapshot, on its way back from where it rested.
    private func resuming(from rest: ActorState, _ fallback: Fallback? = nil) throws -> Actor {
        var actor = Actor(uid: "uid", template: TemplateRef(namespace: "n", name: "t"))
        actor.state = rest
        actor.lastSnapshot = Self.snapshot
        actor.localSnapshot = Self.local
        return try actor.transition(.claimed(Self.claimed, fallback: fallback))
    }

    @Test(arguments: [ActorState.suspended, .paused]) func aLocalSnapshotIsKeptUntilTheActorRunsAgain(rest: ActorState)
        throws
    {
        let resuming = try resuming(from: rest)
        #expect(resuming.localSnapshot == Self.local)
        let undone = try resuming.transition(.resumeUndone())
        #expect(undone.state == rest && undone.localSnapshot == Self.local)
        let lost = try resuming.transition(.workerLost(atMilliseconds: 7))
        #expect(lost.state == .suspended && lost.localSnapshot == Self.local)
        let running = try resuming.transition(.runningConfirmed(at: Self.address))
        #expect(running.localSnapshot == nil && running.lastSnapshot == Self.snapshot)
    }

    @Test func aFallbackIsNotedUnlessNothingComesOfIt() throws {
        let fallback = Fallback(snapshot: Self.local, reason: .nodeGone, atMilliseconds: 5)
        let resuming = try resuming(from: .paused, fallback)
        #expect(resuming.lastFallback == fallback)
        #expect(try resuming.transition(.runningConfirmed(at: Self.address)).lastFallback == fallback)
        #expect(try resuming.transition(.resumeUndone()).lastFallback == nil)
        #expect(try resuming.transition(.workerLost(atMilliseconds: 7)).lastFallback == nil)
    }

    @Test func aLocalSnapshotIsNamedByTwoNamesAndNothingElse() throws {
        let name = try #require(LocalSnapshotName("uid-1/0a"))
        #expect(name.actorUID == "uid-1" && name.nonce == "0a" && name.text == "uid-1/0a")
        for bad in [
            "", "/", "uid", "uid/", "/nonce", "uid/nonce/", "/uid/nonce", "uid//nonce", "uid/a/b", "../nonce", "uid/..",
            "./nonce", "uid/.", "uid/.hidden", "Uid/nonce", "uid/no nce", "uid/nonce\u{0}", "uid/ä", "uid\\nonce",
            "uid/" + String(repeating: "a", count: 64),
        ] {
            #expect(LocalSnapshotName(bad) == nil, "\(bad)")
        }
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
