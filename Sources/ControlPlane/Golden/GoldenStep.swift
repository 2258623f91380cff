package import SubstrateModel

/// What is to be done next for a template's golden snapshot.
package enum GoldenStep: Equatable, Sendable {
    /// Write down the name that the golden actor is to have, so that whoever finds it knows whose it is.
    case nameActor
    case createActor
    /// Write down that it is being started.
    case noteStart
    /// Bring it up.
    case resume
    /// Write down from when on the snapshot can be taken.
    case noteRunning
    /// The snapshot can be taken then, in Unix time in milliseconds.
    case wait(untilMilliseconds: Int64)
    /// Take the snapshot.
    case suspend
    /// Record the snapshot, and remove the actor.
    case record(SnapshotURI)

    /// - Parameters:
    ///   - actor: the one that the status names; nil when there is none.
    ///   - now: Unix time in milliseconds.
    package init(_ status: ActorTemplate.Status, actor: Actor?, now: Int64) {
        guard !status.goldenActorID.isEmpty else {
            self = .nameActor
            return
        }
        guard let actor else {
            self = .createActor
            return
        }
        let due = status.takeGoldenSnapshotAtMilliseconds
        switch actor.state {
        case .suspended:
            if let snapshot = actor.lastSnapshot {
                // Somebody else may have suspended it too early, as a drain does: it goes on from where it was.
                self = due.map { $0 <= now } ?? false ? .record(snapshot) : .resume
            } else {
                // It starts from nothing, so it has its time before it anew.
                self = status.phase == .resumeGoldenActor && due == nil ? .resume : .noteStart
            }
        case .paused, .resuming, .pausing: self = .resume
        case .running:
            guard let due else {
                self = .noteRunning
                return
            }
            self = due <= now ? .suspend : .wait(untilMilliseconds: due)
        case .suspending: self = .suspend
        }
    }
}
