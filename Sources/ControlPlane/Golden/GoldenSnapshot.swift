internal import ServiceKit
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

/// Takes the golden snapshot of one template, step by step, each of which is in etcd before the next begins:
///
/// ```
/// ""  ──name──► ResumeGoldenActor ──create, resume──► WaitGoldenActor ──wait, suspend, record──► Ready
/// ```
/// The golden actor is an ordinary one in an atespace of its own. What it is started on, and what becomes of it when its
/// worker is lost or drains, is as with any other.
struct GoldenSnapshot: Sendable {
    let control: ControlPlane
    let template: TemplateRef

    private var store: Store { control.store }
    private var environment: Environment { control.environment }

    /// Returns when the template has its golden snapshot, or wants none any more.
    func take() async throws(GoldenFailure) {
        while let stored = try await wanting() {
            let ref = ActorRef(atespace: Atespace.golden, name: stored.value.status.goldenActorID)
            let actor = try await actor(ref, of: stored)
            switch GoldenStep(stored.value.status, of: template, actor: actor?.value, now: environment.wallClock()) {
            case .nameActor:
                try await update(stored) { status in
                    status.startAnew()
                    status.goldenActorID = environment.chance.uuid()
                }
            case .createActor: try await create(ref)
            case .noteStart:
                try await update(stored) { status in status.startAnew() }
            case .resume: try await resume(ref)
            case .noteRunning(let stay):
                let time = environment.wallClock() + Int64(timeToSettle(stored.value) / .milliseconds(1))
                try await update(stored) { status in
                    status.phase = .waitGoldenActor
                    status.takeGoldenSnapshotAtMilliseconds = time
                    status.goldenStay = stay
                    status.goldenSnapshotInProgress = nil
                }
            case .wait(let time):
                // No longer than once and again somebody looks whether the template is still there.
                let left = Duration.milliseconds(max(1, time - environment.wallClock()))
                try await sleep(min(left, control.options.goldenCheckInterval))
            case .take(let stay):
                guard let actor else { continue }
                try await take(of: stay, stored, ref, actor.value)
            case .suspend:
                try await trying("SuspendFailed") { () throws(ControlError) in
                    try await control.waitingForOthers(ref, true) { () throws(ControlError) in
                        try await control.suspendActor(ref)
                    }
                }
            case .record(let snapshot):
                guard let actor else { continue }
                try await record(snapshot, stored, ref, actor)
            }
        }
    }

    /// The template while it wants a golden snapshot and has none.
    private func wanting() async throws(GoldenFailure) -> Stored<ActorTemplate>? {
        let stored: Stored<ActorTemplate>?
        do throws(StoreError) { stored = try await store.template(template) } catch { throw GoldenFailure(error) }
        guard let stored, stored.value.golden, stored.value.status.goldenSnapshot == nil else { return nil }
        return stored
    }

    private func actor(_ ref: ActorRef, of stored: Stored<ActorTemplate>) async throws(GoldenFailure) -> Stored<Actor>?
    {
        if ref.name.isEmpty { return nil }
        do throws(StoreError) { return try await store.actor(ref) } catch { throw GoldenFailure(error) }
    }

    /// An actor without readyz says nothing of when it can serve, so it gets a while.
    private func timeToSettle(_ template: ActorTemplate) -> Duration {
        template.containers.allSatisfy { $0.readiness != nil } ? .zero : control.options.goldenActorTime
    }

    private func create(_ ref: ActorRef) async throws(GoldenFailure) {
        var actor = Actor(uid: environment.chance.id(), template: template)
        actor.isGolden = true
        do throws(StoreError) {
            // Whoever was first, it is there.
            guard try await store.createActor(ref, actor) == .noAtespace else { return }
            _ = try await store.createAtespace(ref.atespace, Atespace(uid: environment.chance.id()))
        } catch {
            throw GoldenFailure(error)
        }
    }

    private func resume(_ ref: ActorRef) async throws(GoldenFailure) {
        try await trying("ResumeFailed") { () throws(ControlError) in
            do throws(ControlError) {
                return try await control.waitingForOthers(ref, true, resumes: true) { () throws(ControlError) in
                    try await control.resumeActor(ref, boot: true)
                }
            } catch .isHeld {
                // The template holds actors whose worker was lost for somebody who looks after them; here that is us.
                return try await control.releaseHold(of: ref)
            }
        }
    }

    /// Takes the snapshot under a name that is written down first, so that it can be told from what others take of the actor.
    /// The name is a new one each time: of an earlier attempt something may be there.
    private func take(
        of stay: String, _ stored: Stored<ActorTemplate>, _ ref: ActorRef, _ actor: Actor
    ) async throws(GoldenFailure) {
        let snapshot = SnapshotURI(
            location: stored.value.snapshotLocation, actorUID: actor.uid, nonce: environment.chance.id())
        guard try await update(stored, { $0.goldenSnapshotInProgress = snapshot }) else { return }
        try await trying("SuspendFailed") { () throws(ControlError) in
            try await control.waitingForOthers(ref, true) { () throws(ControlError) in
                let actor = try await control.actor(ref)
                return try await control.replica.perform { hand throws(ControlError) in
                    try await SuspendWorkflow(
                        control: control, hand: hand, ref: ref, cause: .golden(stay: stay, snapshot)
                    ).run(from: actor)
                }
            }
        }
    }

    private func record(
        _ snapshot: SnapshotURI, _ stored: Stored<ActorTemplate>, _ ref: ActorRef, _ actor: Stored<Actor>
    ) async throws(GoldenFailure) {
        var status = stored.value.status
        status.startAnew()
        status.phase = .ready
        status.goldenSnapshot = snapshot
        status.setGolden("True", "SnapshotTaken", "new actors start from it", at: environment.wallClock())
        let isRecorded: Bool
        do throws(StoreError) {
            isRecorded = try await store.recordGoldenSnapshot(stored, status, ref, actor)
        } catch {
            throw GoldenFailure(error)
        }
        // Somebody has the actor in hand, who may take a while.
        guard isRecorded else { return try await sleep(min(.milliseconds(100), control.options.goldenCheckInterval)) }
        environment.log.info(
            "took a golden snapshot", ["template": .text(template), "snapshot": .text(snapshot)])
    }

    /// Does something with the actor. That somebody else has changed or deleted it is no failure: what is next is looked at
    /// anew.
    private func trying(
        _ reason: String, _ body: () async throws(ControlError) -> Stored<Actor>
    ) async throws(GoldenFailure) {
        do throws(ControlError) {
            _ = try await body()
        } catch .conflict {
        } catch .actorNotFound {
        } catch {
            throw GoldenFailure(condition: reason, reason: error.reason, isOurs: error.isOurs)
        }
    }

    /// Writes a status. That somebody else was first is no failure either.
    /// - Returns: whether it did.
    @discardableResult
    private func update(
        _ stored: Stored<ActorTemplate>, _ change: (inout ActorTemplate.Status) -> Void
    ) async throws(GoldenFailure) -> Bool {
        var status = stored.value.status
        change(&status)
        do throws(StoreError) {
            return try await store.updateTemplate(stored, status)
        } catch {
            throw GoldenFailure(error)
        }
    }

    private func sleep(_ duration: Duration) async throws(GoldenFailure) {
        do { try await environment.clock.sleep(for: duration) } catch {
            throw GoldenFailure(condition: "Interrupted", reason: "this replica leads no longer", isOurs: true)
        }
    }

    /// Stops the golden actor after a failed attempt, so that it holds no worker until the next, which starts it anew.
    func letGo(_ session: ReplicaSession) async {
        do {
            guard let stored = try await wanting() else { return }
            let ref = ActorRef(atespace: Atespace.golden, name: stored.value.status.goldenActorID)
            guard let actor = try await actor(ref, of: stored), actor.value.isGolden(of: template) else { return }
            _ = try await session.perform { hand throws(ControlError) in
                try await DiscardWorkflow(control: control, hand: hand, ref: ref).run()
            }
        } catch {
            environment.log.debug(
                "could not stop a golden actor, which holds its worker until the next attempt",
                ["template": .text(template), "reason": .string("\(error)")])
        }
    }

    /// Says on the template why there is no snapshot yet.
    func note(_ failure: GoldenFailure) async {
        if failure.isOurs { return }
        do throws(GoldenFailure) {
            guard let stored = try await wanting() else { return }
            try await update(stored) { status in
                status.phase = .failed
                status.setGolden("False", failure.condition, failure.reason, at: environment.wallClock())
            }
        } catch {
            environment.log.debug(
                "cannot say on a template why its golden snapshot could not be taken",
                ["template": .text(template), "error": .string(error.reason)])
        }
    }
}

/// Why a golden snapshot could not be taken.
struct GoldenFailure: Error {
    /// One word, for programs.
    var condition: String
    var reason: String
    /// Whether it lies in this replica or in etcd, and so says nothing about the template.
    var isOurs: Bool
}

extension GoldenFailure {
    init(_ error: StoreError) { self.init(condition: "StoreFailed", reason: "\(error)", isOurs: true) }
}

extension ControlError {
    fileprivate var isOurs: Bool {
        switch self {
        case .unavailable, .operationInProgress: true
        default: false
        }
    }

    /// For whoever looks at the template later.
    fileprivate var reason: String {
        switch self {
        case .node(let failure): "\(failure)"
        case .failed(let failure): failure.message
        case .noEligiblePool: "no worker pool matches the template's sandboxClass and selectors"
        case .noFreeWorkers: "no free workers available"
        case .workerLost(let worker): "worker \(worker) was lost under the golden actor"
        case .noAnswer(let worker): "worker \(worker) gives no answer and is being given up"
        case .diedWhileSuspending: "the golden actor died before its snapshot was complete"
        case .unavailable(let reason): reason
        default: "\(self)"
        }
    }
}

extension ActorTemplate.Status {
    /// The type of the condition that says whether there is a golden snapshot.
    private static let golden = "GoldenSnapshot"

    /// The golden actor has its time before it.
    fileprivate mutating func startAnew() {
        phase = .resumeGoldenActor
        takeGoldenSnapshotAtMilliseconds = nil
        goldenStay = ""
        goldenSnapshotInProgress = nil
    }

    fileprivate mutating func setGolden(_ status: String, _ reason: String, _ message: String, at now: Int64) {
        let old = conditions.first { $0.type == Self.golden }
        conditions.removeAll { $0.type == Self.golden }
        conditions.append(
            ActorTemplate.Condition(
                type: Self.golden, status: status, reason: reason,
                message: String(decoding: message.utf8.prefix(1024), as: UTF8.self),
                lastTransitionMilliseconds: old?.status == status ? old?.lastTransitionMilliseconds ?? now : now))
    }
}
