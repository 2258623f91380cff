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
    /// Write down from when on the snapshot of this stay can be taken.
    case noteRunning(stay: String)
    /// The snapshot can be taken then, in Unix time in milliseconds.
    case wait(untilMilliseconds: Int64)
    /// Write down what the snapshot is called, and take it of this stay.
    case take(stay: String)
    /// Bring the suspend that somebody has begun to its end.
    case suspend
    /// Record the snapshot, and remove the actor.
    case record(SnapshotURI)

    /// - Parameters:
    ///   - actor: the one that the status names; nil when there is none.
    ///   - template: whose status it is.
    ///   - now: Unix time in milliseconds.
    package init(_ status: ActorTemplate.Status, of template: TemplateRef, actor: Actor?, now: Int64) {
        guard !status.goldenActorID.isEmpty else {
            self = .nameActor
            return
        }
        guard let actor else {
            self = .createActor
            return
        }
        // Somebody else's actor bears the name, so another name it is.
        guard actor.isGolden(of: template) else {
            self = .nameActor
            return
        }
        let due = status.takeGoldenSnapshotAtMilliseconds
        switch actor.state {
        case .suspended, .paused:
            if actor.state == .suspended, let last = actor.lastSnapshot, last == status.goldenSnapshotInProgress {
                self = .record(last)
            } else {
                // Somebody else has stopped it, as a drain does, maybe too early. Its next stay has its time before it anew.
                self = status.phase == .resumeGoldenActor && due == nil ? .resume : .noteStart
            }
        case .resuming, .pausing: self = .resume
        case .running(let assignment):
            guard let due, status.goldenStay == assignment.goldenStay else {
                self = .noteRunning(stay: assignment.goldenStay)
                return
            }
            self = due <= now ? .take(stay: status.goldenStay) : .wait(untilMilliseconds: due)
        case .suspending: self = .suspend
        }
    }
}

extension Actor {
    /// Whether the control plane has made it for this template. Anybody may create one under the same name.
    package func isGolden(of template: TemplateRef) -> Bool { isGolden && self.template == template }
}

extension Assignment {
    /// Tells a stay on a worker from others, also from the next one on the same worker, which has another address for as
    /// long as nodes let addresses rest.
    package var goldenStay: String { "\(uid) \(address.map { "\($0)" } ?? "")" }
}
