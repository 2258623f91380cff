/// An actor, as stored.
package struct Actor: Sendable, Equatable {
    /// Tells it from an earlier actor of the same name.
    package var uid: String
    package var template: TemplateRef
    package var workerSelector: Selector
    package var state: ActorState
    /// URI prefix of the last external snapshot that a node has confirmed.
    package var lastSnapshot: SnapshotURI?
    /// A snapshot that is newer than the external one, until the actor runs again. A PAUSED actor has one; a SUSPENDED one
    /// has it when the worker was lost that was to resume it.
    package var localSnapshot: LocalSnapshot?
    /// The last time it was taken from a lost worker, or from one that drains when it is to go on elsewhere.
    package var lastRecovery: Recovery?
    /// The last time it was resumed without its local snapshot.
    package var lastFallback: Fallback?
    /// Why the last resume came to nothing; nil once it has run again.
    package var lastFailure: ResumeFailure?
    /// Whether the control plane has made it, to take the golden snapshot of its template.
    package var isGolden = false
    /// What a newer version of the control plane has stored beside all this.
    package var unknownFields = UnknownFields()

    /// A new actor, which has run nowhere yet.
    package init(uid: String, template: TemplateRef, workerSelector: Selector = Selector()) {
        self.uid = uid
        self.template = template
        self.workerSelector = workerSelector
        state = .suspended
    }

    package var status: ActorStatus { state.status }

    /// Whether it is to stay where it is until an operator says otherwise.
    package var isHeld: Bool { lastRecovery?.next == .hold }
    /// Whether the control plane has to resume it.
    package var isResumeDue: Bool { state == .suspended && lastRecovery?.next == .resume }
}

/// Where an actor is in its life. A state has exactly what belongs to it: only SUSPENDED and PAUSED are
/// without a worker.
package enum ActorState: Sendable, Equatable {
    /// Runs nowhere; the next resume starts it from its last snapshot.
    case suspended
    /// Runs nowhere; the next resume starts it from its local snapshot.
    case paused
    /// Claimed a worker, which is starting it. When nothing comes of it, it goes back to where it came from.
    case resuming(Assignment, from: Rest = .suspended)
    /// Runs.
    case running(Assignment)
    /// The worker is writing the snapshot.
    case suspending(Assignment, snapshot: SnapshotURI)
    /// The worker is writing the snapshot onto its node's disk.
    case pausing(Assignment, snapshot: LocalSnapshot)

    /// The states in which an actor stays without a worker.
    package enum Rest: Sendable, Equatable {
        case suspended
        case paused

        package var state: ActorState {
            switch self {
            case .suspended: .suspended
            case .paused: .paused
            }
        }
    }

    package var status: ActorStatus {
        switch self {
        case .suspended: .suspended
        case .paused: .paused
        case .resuming: .resuming
        case .running: .running
        case .suspending: .suspending
        case .pausing: .pausing
        }
    }

    /// The worker that holds the actor.
    /// Whether somebody has to bring it on.
    package var isTransitional: Bool {
        switch self {
        case .resuming, .suspending, .pausing: true
        case .suspended, .paused, .running: false
        }
    }

    package var assignment: Assignment? {
        switch self {
        case .suspended, .paused: nil
        case .resuming(let assignment, _), .running(let assignment), .suspending(let assignment, _),
            .pausing(let assignment, _):
            assignment
        }
    }

    /// The snapshot being written.
    package var inProgressSnapshot: Snapshot? {
        switch self {
        case .suspending(_, let snapshot): .external(snapshot)
        case .pausing(_, let snapshot): .local(snapshot.name)
        case .suspended, .paused, .resuming, .running: nil
        }
    }
}

/// The statuses that clients see.
package enum ActorStatus: String, Sendable, CaseIterable {
    case resuming = "STATUS_RESUMING"
    case running = "STATUS_RUNNING"
    case suspending = "STATUS_SUSPENDING"
    case suspended = "STATUS_SUSPENDED"
    case pausing = "STATUS_PAUSING"
    case paused = "STATUS_PAUSED"
}

/// The worker that holds an actor, with what is shown of it: the presence may be gone by then.
package struct Assignment: Sendable, Equatable {
    package var worker: WorkerRef
    /// The presence's uid.
    package var uid: String
    /// Where the actor listens, as its node has said when it had started it; nil while it is RESUMING.
    package var address: ActorAddress?
    package var unknownFields = UnknownFields()

    package init(worker: WorkerRef, uid: String, address: ActorAddress? = nil) {
        self.worker = worker
        self.uid = uid
        self.address = address
    }

    func running(at address: ActorAddress) -> Assignment {
        var running = self
        running.address = address
        return running
    }
}

/// Where one activation of an actor listens. Its node gives it to no other until nobody can still be on the way to it.
package struct ActorAddress: Sendable, Hashable, CustomStringConvertible {
    package var ip: String
    package var port: Int

    package init(ip: String, port: Int) {
        self.ip = ip
        self.port = port
    }

    package var description: String { "\(ip):\(port)" }
}

/// Everything of a snapshot lies under this URI, for example `file:///srv/snapshots/<actor uid>/<nonce>`.
package struct SnapshotURI: Hashable, Sendable, CustomStringConvertible {
    package var text: String

    package init(_ text: String) { self.text = text }

    /// The snapshot that `nonce` names of an actor under a template's location.
    package init(location: String, actorUID: String, nonce: String) {
        let base = location.hasSuffix("/") ? String(location.dropLast()) : location
        text = "\(base)/\(actorUID)/\(nonce)"
    }

    package var description: String { text }
}

/// A resume that came to nothing.
package struct ResumeFailure: Sendable, Equatable {
    package var worker: WorkerRef
    /// A gRPC status code, and its text.
    package var code: Int32
    package var message: String
    /// Unix time in milliseconds by the clock of the replica that took the resume back.
    package var atMilliseconds: Int64
    package var unknownFields = UnknownFields()

    /// - Parameter message: of which the first 1,024 bytes are kept.
    package init(worker: WorkerRef, code: Int32, message: String, atMilliseconds: Int64) {
        self.worker = worker
        self.code = code
        self.message = String(decoding: message.utf8.prefix(1024), as: UTF8.self)
        self.atMilliseconds = atMilliseconds
    }
}

/// Which worker the actor had to leave, because that was lost or drains.
package struct Recovery: Sendable, Equatable {
    /// What follows.
    package enum Next: Sendable, Equatable {
        /// The next request resumes the actor.
        case request
        /// The leader resumes it.
        case resume
        /// Nobody resumes it before an operator releases the hold.
        case hold
    }

    package var worker: WorkerRef
    package var statusBefore: ActorStatus
    /// Unix time in milliseconds by the clock of the replica that did it.
    package var releasedAtMilliseconds: Int64
    package var next: Next
    package var unknownFields = UnknownFields()

    package init(
        worker: WorkerRef, statusBefore: ActorStatus, releasedAtMilliseconds: Int64, next: Next = .request
    ) {
        self.next = next
        self.worker = worker
        self.statusBefore = statusBefore
        self.releasedAtMilliseconds = releasedAtMilliseconds
    }
}

/// Fields of a stored message that this version does not know, in wire form: read, kept, and written back.
package struct UnknownFields: Sendable, Equatable {
    package struct Field: Sendable, Equatable {
        package var number: UInt32
        package var wireType: UInt32
        package var data: [UInt8]

        package init(number: UInt32, wireType: UInt32, data: [UInt8]) {
            self.number = number
            self.wireType = wireType
            self.data = data
        }
    }

    package var fields: [Field]

    package init(_ fields: [Field] = []) { self.fields = fields }
}
