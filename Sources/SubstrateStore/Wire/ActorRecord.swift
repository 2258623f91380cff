internal import CMessages
internal import Protobuf
internal import SubstrateAPI
package import SubstrateModel

extension Actor: StoredValue {
    package func record(after prefix: [UInt8]) -> [UInt8] {
        pack(Substrate__Store__ActorRecord.self, after: prefix) { record, arena in
            record.uid = arena.bytes(uid)
            record.template_namespace = arena.bytes(template.namespace)
            record.template_name = arena.bytes(template.name)
            (record.n_worker_selector, record.worker_selector) = arena.labels(workerSelector.matchLabels)
            record.status = status.wire
            record.assignment = state.assignment.map { assignment in
                arena.message { assignment.fill(&$0, arena) }
            }
            record.last_snapshot = arena.bytes(lastSnapshot?.text ?? "")
            record.local_snapshot = localSnapshot.map { snapshot in arena.message { snapshot.fill(&$0, arena) } }
            switch state {
            case .suspending(_, let snapshot): record.in_progress_snapshot = arena.bytes(snapshot.text)
            case .pausing(_, let snapshot):
                record.in_progress_local_snapshot = arena.message { snapshot.fill(&$0, arena) }
            case .resuming(_, let rest): record.resumed_from = rest.state.status.wire
            case .suspended, .paused, .running: break
            }
            record.golden = isGolden ? 1 : 0
            record.last_fallback = lastFallback.map { fallback in arena.message { fallback.fill(&$0, arena) } }
            record.last_failure = lastFailure.map { failure in arena.message { failure.fill(&$0, arena) } }
            record.last_recovery = lastRecovery.map { recovery in
                arena.message { recovery.fill(&$0, arena) }
            }
            arena.attach(unknownFields, to: &record.base)
        }
    }

    package init(record bytes: UnsafeRawBufferPointer) throws {
        self = try unpack(Substrate__Store__ActorRecord.self, from: bytes) { record in
            var actor = Actor(
                uid: try record.uid.text("uid"),
                template: TemplateRef(
                    namespace: try record.template_namespace.text("template_namespace"),
                    name: try record.template_name.text("template_name")),
                workerSelector: Selector(
                    matchLabels: try readLabels(
                        record.worker_selector, count: record.n_worker_selector, "worker_selector")))
            actor.isGolden = record.golden != 0
            actor.localSnapshot = try record.local_snapshot.map { try LocalSnapshot($0.pointee) }
            actor.lastFallback = try record.last_fallback.map { try Fallback($0.pointee) }
            actor.state = try ActorState(record, hasLocalSnapshot: actor.localSnapshot != nil)
            actor.lastSnapshot = SnapshotURI(nonEmpty: try record.last_snapshot.text("last_snapshot"))
            actor.lastFailure = try record.last_failure.map { try ResumeFailure($0.pointee) }
            actor.lastRecovery = try record.last_recovery.map { try Recovery($0.pointee) }
            actor.unknownFields = UnknownFields(record.base)
            return actor
        }
    }
}

extension ActorState {
    fileprivate init(_ record: borrowing Substrate__Store__ActorRecord, hasLocalSnapshot: Bool) throws {
        let status = try ActorStatus(record.status)
        let assignment = try record.assignment.map { try Assignment($0.pointee) }
        let uri = SnapshotURI(nonEmpty: try record.in_progress_snapshot.text("in_progress_snapshot"))
        let local = try record.in_progress_local_snapshot.map { try LocalSnapshot($0.pointee) }
        switch (status, assignment, uri, local) {
        case (.suspended, nil, nil, nil): self = .suspended
        case (.paused, nil, nil, nil) where hasLocalSnapshot: self = .paused
        case (.resuming, let assignment?, nil, nil): self = .resuming(assignment, from: try Rest(record.resumed_from))
        case (.running, let assignment?, nil, nil): self = .running(assignment)
        case (.suspending, let assignment?, let snapshot?, nil): self = .suspending(assignment, snapshot: snapshot)
        case (.pausing, let assignment?, nil, let snapshot?): self = .pausing(assignment, snapshot: snapshot)
        default:
            throw InvalidText(
                field: "status",
                reason: "is \(status.rawValue), which does not go with "
                    + "\(assignment == nil ? "no worker" : "a worker"), "
                    + "\(uri == nil && local == nil ? "no snapshot in progress" : "a snapshot in progress") and "
                    + "\(hasLocalSnapshot ? "a local snapshot" : "no local snapshot")")
        }
    }
}

extension ActorState.Rest {
    fileprivate init(_ wire: Substrate__Store__ActorRecord__Status) throws {
        switch wire {
        // Unset in rows of a version that knew no other.
        case SUBSTRATE__STORE__ACTOR_RECORD__STATUS__STATUS_UNSPECIFIED,
            SUBSTRATE__STORE__ACTOR_RECORD__STATUS__STATUS_SUSPENDED:
            self = .suspended
        case SUBSTRATE__STORE__ACTOR_RECORD__STATUS__STATUS_PAUSED: self = .paused
        default: throw InvalidText(field: "resumed_from", reason: "has the unknown value \(wire.rawValue)")
        }
    }
}

extension Assignment {
    fileprivate func fill(_ record: inout Substrate__Store__AssignmentRecord, _ arena: Arena) {
        record.worker_namespace = arena.bytes(worker.pool.namespace)
        record.worker_pool = arena.bytes(worker.pool.name)
        record.worker_pod = arena.bytes(worker.pod)
        record.worker_uid = arena.bytes(uid)
        record.ip = arena.bytes(address?.ip ?? "")
        record.port = Int32(clamping: address?.port ?? 0)
        arena.attach(unknownFields, to: &record.base)
    }

    fileprivate init(_ record: borrowing Substrate__Store__AssignmentRecord) throws {
        let pool = PoolRef(
            namespace: try record.worker_namespace.text("worker_namespace"),
            name: try record.worker_pool.text("worker_pool"))
        self.init(
            worker: WorkerRef(pool: pool, pod: try record.worker_pod.text("worker_pod")),
            uid: try record.worker_uid.text("worker_uid"),
            address: ActorAddress(nonEmpty: try record.ip.text("ip"), record.port))
        unknownFields = UnknownFields(record.base)
    }
}

extension Recovery {
    fileprivate func fill(_ record: inout Substrate__Store__RecoveryRecord, _ arena: Arena) {
        record.worker_namespace = arena.bytes(worker.pool.namespace)
        record.worker_pool = arena.bytes(worker.pool.name)
        record.worker_pod = arena.bytes(worker.pod)
        record.status_before = statusBefore.wire
        record.released_at_ms = releasedAtMilliseconds
        record.next = next.wire
        arena.attach(unknownFields, to: &record.base)
    }

    fileprivate init(_ record: borrowing Substrate__Store__RecoveryRecord) throws {
        let pool = PoolRef(
            namespace: try record.worker_namespace.text("worker_namespace"),
            name: try record.worker_pool.text("worker_pool"))
        self.init(
            worker: WorkerRef(pool: pool, pod: try record.worker_pod.text("worker_pod")),
            statusBefore: try ActorStatus(record.status_before), releasedAtMilliseconds: record.released_at_ms,
            next: try Next(record.next))
        unknownFields = UnknownFields(record.base)
    }
}

extension Recovery.Next {
    fileprivate var wire: Substrate__Store__RecoveryRecord__Next {
        switch self {
        case .request: SUBSTRATE__STORE__RECOVERY_RECORD__NEXT__NEXT_UNSPECIFIED
        case .resume: SUBSTRATE__STORE__RECOVERY_RECORD__NEXT__NEXT_RESUME
        case .hold: SUBSTRATE__STORE__RECOVERY_RECORD__NEXT__NEXT_HOLD
        }
    }

    fileprivate init(_ wire: Substrate__Store__RecoveryRecord__Next) throws {
        switch wire {
        case SUBSTRATE__STORE__RECOVERY_RECORD__NEXT__NEXT_UNSPECIFIED: self = .request
        case SUBSTRATE__STORE__RECOVERY_RECORD__NEXT__NEXT_RESUME: self = .resume
        case SUBSTRATE__STORE__RECOVERY_RECORD__NEXT__NEXT_HOLD: self = .hold
        default: throw InvalidText(field: "next", reason: "has the unknown value \(wire.rawValue)")
        }
    }
}

extension ResumeFailure {
    fileprivate func fill(_ record: inout Substrate__Store__FailureRecord, _ arena: Arena) {
        record.worker_namespace = arena.bytes(worker.pool.namespace)
        record.worker_pool = arena.bytes(worker.pool.name)
        record.worker_pod = arena.bytes(worker.pod)
        record.code = code
        record.message = arena.bytes(message)
        record.at_ms = atMilliseconds
        arena.attach(unknownFields, to: &record.base)
    }

    fileprivate init(_ record: borrowing Substrate__Store__FailureRecord) throws {
        let pool = PoolRef(
            namespace: try record.worker_namespace.text("worker_namespace"),
            name: try record.worker_pool.text("worker_pool"))
        self.init(
            worker: WorkerRef(pool: pool, pod: try record.worker_pod.text("worker_pod")), code: record.code,
            message: try record.message.text("message"), atMilliseconds: record.at_ms)
        unknownFields = UnknownFields(record.base)
    }
}

extension ActorStatus {
    fileprivate var wire: Substrate__Store__ActorRecord__Status {
        switch self {
        case .resuming: SUBSTRATE__STORE__ACTOR_RECORD__STATUS__STATUS_RESUMING
        case .running: SUBSTRATE__STORE__ACTOR_RECORD__STATUS__STATUS_RUNNING
        case .suspending: SUBSTRATE__STORE__ACTOR_RECORD__STATUS__STATUS_SUSPENDING
        case .suspended: SUBSTRATE__STORE__ACTOR_RECORD__STATUS__STATUS_SUSPENDED
        case .pausing: SUBSTRATE__STORE__ACTOR_RECORD__STATUS__STATUS_PAUSING
        case .paused: SUBSTRATE__STORE__ACTOR_RECORD__STATUS__STATUS_PAUSED
        }
    }

    fileprivate init(_ wire: Substrate__Store__ActorRecord__Status) throws {
        guard let status = ActorStatus.allCases.first(where: { $0.wire == wire }) else {
            throw InvalidText(field: "status", reason: "has the unknown value \(wire.rawValue)")
        }
        self = status
    }
}
