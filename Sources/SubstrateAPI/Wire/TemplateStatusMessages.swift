internal import CMessages
internal import Protobuf
internal import SubstrateModel

extension ActorTemplate.Status {
    func fill(_ message: inout Substrate__ActorTemplateStatus, _ arena: Arena) {
        message.phase = phase.wire
        message.golden_actor_id = arena.bytes(goldenActorID)
        message.take_golden_snapshot_at_ms = takeGoldenSnapshotAtMilliseconds ?? 0
        message.golden_stay = arena.bytes(goldenStay)
        message.golden_snapshot_in_progress = arena.bytes(goldenSnapshotInProgress?.text ?? "")
        message.golden_snapshot = arena.bytes(goldenSnapshot?.text ?? "")
        (message.n_conditions, message.conditions) = arena.repeated(conditions) { condition, entry in
            entry.type = arena.bytes(condition.type)
            entry.status = arena.bytes(condition.status)
            entry.reason = arena.bytes(condition.reason)
            entry.message = arena.bytes(condition.message)
            entry.last_transition_ms = condition.lastTransitionMilliseconds
        }
        arena.attach(unknownFields, to: &message.base)
    }

    init(_ message: borrowing Substrate__ActorTemplateStatus) throws {
        self.init()
        phase = try Phase(message.phase)
        goldenActorID = try message.golden_actor_id.text("golden_actor_id")
        let time = message.take_golden_snapshot_at_ms
        takeGoldenSnapshotAtMilliseconds = time == 0 ? nil : time
        goldenStay = try message.golden_stay.text("golden_stay")
        let inProgress = try message.golden_snapshot_in_progress.text("golden_snapshot_in_progress")
        goldenSnapshotInProgress = inProgress.isEmpty ? nil : SnapshotURI(inProgress)
        let snapshot = try message.golden_snapshot.text("golden_snapshot")
        goldenSnapshot = snapshot.isEmpty ? nil : SnapshotURI(snapshot)
        conditions = try map(message.conditions, count: message.n_conditions) { entry in
            ActorTemplate.Condition(
                type: try entry.type.text("condition type"), status: try entry.status.text("condition status"),
                reason: try entry.reason.text("condition reason"), message: try entry.message.text("condition message"),
                lastTransitionMilliseconds: entry.last_transition_ms)
        }
        unknownFields = UnknownFields(message.base)
    }
}

extension ActorTemplate.Status.Phase {
    fileprivate var wire: Substrate__ActorTemplateStatus__Phase {
        switch self {
        case .none: SUBSTRATE__ACTOR_TEMPLATE_STATUS__PHASE__PHASE_UNSPECIFIED
        case .resumeGoldenActor: SUBSTRATE__ACTOR_TEMPLATE_STATUS__PHASE__PHASE_RESUME_GOLDEN_ACTOR
        case .waitGoldenActor: SUBSTRATE__ACTOR_TEMPLATE_STATUS__PHASE__PHASE_WAIT_GOLDEN_ACTOR
        case .ready: SUBSTRATE__ACTOR_TEMPLATE_STATUS__PHASE__PHASE_READY
        case .failed: SUBSTRATE__ACTOR_TEMPLATE_STATUS__PHASE__PHASE_FAILED
        }
    }

    fileprivate init(_ wire: Substrate__ActorTemplateStatus__Phase) throws {
        guard let phase = Self.allCases.first(where: { $0.wire == wire }) else {
            throw InvalidText(field: "phase", reason: "has the unknown value \(wire.rawValue)")
        }
        self = phase
    }
}
