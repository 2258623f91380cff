internal import ServiceKit
package import SubstrateAPI
package import SubstrateModel
internal import SubstrateStore

extension ControlPlane {
    /// Passes on what the actor writes. Without `follow` that is what is kept of its present stay on a worker; with it, also
    /// what comes, there and on every later worker, until the actor is deleted or the task is cancelled.
    /// - Parameters:
    ///   - tail: how many of the lines that are kept come; nil for all. Later stays begin with their first line.
    ///   - after: where an earlier reading has ended; nil to begin with.
    ///   - receive: each part, with the position behind it. The first comes at once.
    /// - Throws: `ControlError`, `StoreError`, or what `receive` throws.
    package func readOutput(
        of ref: ActorRef, follow: Bool, tail: Int?, after: LogPosition?,
        _ receive: @escaping @Sendable (LogLines) async throws -> Void
    ) async throws {
        var reader = OutputReader(control: self, ref: ref, tail: tail, position: after, receive: receive)
        if follow { try await reader.follow() } else { try await reader.readOnce() }
    }
}

/// One who reads what an actor writes.
///
/// While the worker lives that the actor is on, it is its node that says when the stay is over: its stream ends. When the
/// worker is lost nothing more is expected of it. In between, a change of the actor's row says when to look again.
struct OutputReader {
    let control: ControlPlane
    let ref: ActorRef
    /// For the first stay, until something of it has been passed on.
    var tail: Int?
    /// Behind what has been passed on.
    var position: LogPosition?
    let receive: @Sendable (LogLines) async throws -> Void
    private var hasBegun = false
    /// The last stay that is over.
    private var finished = Epoch(0)
    /// One whose end has not been seen, because its node was not reached.
    private var interrupted: ActorPlace?

    init(
        control: ControlPlane, ref: ActorRef, tail: Int?, position: LogPosition?,
        receive: @escaping @Sendable (LogLines) async throws -> Void
    ) {
        self.control = control
        self.ref = ref
        self.tail = tail
        self.position = position
        self.receive = receive
    }

    mutating func readOnce() async throws {
        let actor = try await actor()
        guard case .running(let assignment) = actor.value.state else {
            throw ControlError.isNotRunning(ref, actor.value.status)
        }
        guard let place = try await control.place(of: ref, actor) else {
            throw ControlError.workerLost(assignment.worker)
        }
        switch try await read(place, follow: false) {
        case .ended: return
        case .failed(let failure): throw ControlError.noOutput(ref, place.worker, failure)
        case .lost: throw ControlError.workerLost(place.worker)
        }
    }

    mutating func follow() async throws {
        var uid: String?
        var backoff = Backoff(from: .milliseconds(50), to: .seconds(2))
        while true {
            try Task.checkCancellation()
            let actor = try await actor()
            // Another of the same name is not the one that was asked for.
            guard uid == nil || actor.value.uid == uid else { throw ControlError.actorNotFound(ref) }
            uid = actor.value.uid
            let place = try await unfinishedPlace(of: actor)
            if let interrupted, interrupted != place { try await leaveUnfinished(interrupted) }
            guard let place else {
                try await wait(for: actor)
                continue
            }
            let before = position
            switch try await read(place, follow: true) {
            case .ended: finished = place.stay.epoch
            case .lost: try await leaveUnfinished(place)
            case .failed(let failure) where failure.isNotFound: try await leaveUnfinished(place)
            case .failed(let failure) where failure.isExhausted:
                throw ControlError.noOutput(ref, place.worker, failure)
            case .failed:
                interrupted = place
                if position != before { backoff.reset() }
                try await control.environment.clock.sleep(for: control.environment.chance.jittered(backoff.pause()))
                continue
            }
            interrupted = nil
        }
    }

    private func actor() async throws -> Stored<Actor> {
        guard let actor = try await control.store.actor(ref) else { throw ControlError.actorNotFound(ref) }
        return actor
    }

    /// Where it is, if it has been seen running there, and is not done with.
    private func unfinishedPlace(of actor: Stored<Actor>) async throws -> ActorPlace? {
        guard actor.value.status != .resuming, let place = try await control.place(of: ref, actor),
            place.stay.epoch > finished
        else { return nil }
        return place
    }

    /// It writes nothing now, so everything that it writes from now on comes.
    private mutating func wait(for actor: Stored<Actor>) async throws {
        tail = nil
        if !hasBegun {
            let start = LogPosition(epoch: Epoch(actor.modRevision), line: 0)
            try await pass(LogLines(lines: [], position: position ?? start))
        }
        try await control.store.waitForChange(of: ref, since: actor.modRevision)
    }

    private enum Ending {
        case ended
        case failed(NodeFailure)
        case lost
    }

    private mutating func read(_ place: ActorPlace, follow: Bool) async throws -> Ending {
        let seen = position.map { $0.epoch == place.stay.epoch ? $0.line : 0 } ?? 0
        let request = NodeLogsRequest(workerUID: place.uid, follow: follow, tail: tail, afterLine: seen)
        do {
            let nodes = control.nodes
            let stream = try await control.unlessLost(place) { () throws(NodeFailure) in
                try await nodes.logs(request, place.stay, at: place.agentAddress)
            }
            guard let stream else { return .lost }
            while true {
                let next = try await control.unlessLost(place) { () throws(NodeFailure) in try await stream.next() }
                guard let next else { return .lost }
                guard let lines = next else { break }
                try await pass(lines)
            }
        } catch let failure as NodeFailure {
            return .failed(failure)
        }
        try Task.checkCancellation()
        return .ended
    }

    private mutating func pass(_ lines: LogLines) async throws {
        try await receive(lines)
        position = lines.position
        tail = nil
        hasBegun = true
    }

    private mutating func leaveUnfinished(_ place: ActorPlace) async throws {
        finished = place.stay.epoch
        interrupted = nil
        let text =
            "[worker \(place.worker) could not be read to the end: the last lines from there may be missing here]"
        let notice = LogLine(
            timeMilliseconds: control.environment.wallClock(), source: .notice, container: "", text: Array(text.utf8),
            workerPod: place.worker.pod)
        let line = position?.epoch == place.stay.epoch ? position?.line ?? 0 : 0
        try await pass(LogLines(lines: [notice], position: LogPosition(epoch: place.stay.epoch, line: line)))
    }
}
