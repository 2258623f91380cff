package import Etcd
package import SubstrateModel
package import SubstrateStore

/// What is in the store at one revision, decoded, with the indices that checks of a single change need.
package struct StoreState: Sendable {
    /// An operation with the lease that it goes away with.
    package struct HeldOperation: Sendable, Equatable {
        package var row: Stored<Operation>
        package var lease: LeaseID?
    }

    package let keys: Keys
    /// The last revision that was applied; 0 before the first.
    package private(set) var revision: Int64 = 0
    package private(set) var actors: [ActorRef: Stored<Actor>] = [:]
    package private(set) var presences: [WorkerRef: Stored<Presence>] = [:]
    package private(set) var bindings: [WorkerRef: Stored<Binding>] = [:]
    package private(set) var operations: [ActorRef: HeldOperation] = [:]
    /// The replicas' sessions: the lease of each, and how many keys stand for it.
    package private(set) var sessions: [LeaseID: Int] = [:]
    /// The workers that are bound to an actor, by its name: one at most, if all is well.
    package private(set) var workersOf: [ActorRef: Set<WorkerRef>] = [:]
    /// The operations under each lease.
    package private(set) var operationsUnder: [LeaseID: Set<ActorRef>] = [:]
    private var sessionLeases: [Key: LeaseID] = [:]

    package init(keys: Keys) { self.keys = keys }

    /// The rows that a change has touched, as they were before it; nil for one that was not there.
    package struct Difference: Sendable {
        package var actors: [ActorRef: Stored<Actor>?] = [:]
        package var presences: [WorkerRef: Stored<Presence>?] = [:]
        package var bindings: [WorkerRef: Stored<Binding>?] = [:]
        package var operations: [ActorRef: HeldOperation?] = [:]
        package var endedSessions: [LeaseID] = []
        package var unreadable: [StoreError] = []
    }

    /// Whether the worker's binding is to an incarnation that is not there.
    package func isLost(_ worker: WorkerRef) -> Bool {
        guard let binding = bindings[worker] else { return false }
        return presences[worker]?.incarnation != binding.value.incarnation
    }

    /// Takes the change in.
    package mutating func apply(_ change: Change) -> Difference {
        var difference = Difference()
        revision = change.revision
        for event in change.events {
            do throws(StoreError) {
                try apply(event, &difference)
            } catch {
                difference.unreadable.append(error)
            }
        }
        return difference
    }

    private mutating func apply(_ event: WatchEvent, _ difference: inout Difference) throws(StoreError) {
        if let ref = keys.actorRef(event.key) {
            difference.actors[ref] = .some(actors[ref])
            actors[ref] = try event.row()
        } else if let ref = keys.operationRef(event.key) {
            try applyOperation(ref, event, &difference)
        } else if let worker = keys.worker(event.key) {
            switch worker {
            case .live(let ref):
                difference.presences[ref] = .some(presences[ref])
                presences[ref] = try event.row()
            case .bound(let ref): try applyBinding(ref, event, &difference)
            }
        } else if keys.isSession(event.key) {
            applySession(event, &difference)
        }
    }

    private mutating func applyBinding(
        _ ref: WorkerRef, _ event: WatchEvent, _ difference: inout Difference
    ) throws(StoreError) {
        let old = bindings[ref]
        difference.bindings[ref] = .some(old)
        if let actor = old?.value.actor {
            workersOf[actor]?.remove(ref)
            if workersOf[actor]?.isEmpty == true { workersOf[actor] = nil }
        }
        bindings[ref] = try event.row()
        if let actor = bindings[ref]?.value.actor { workersOf[actor, default: []].insert(ref) }
    }

    private mutating func applyOperation(
        _ ref: ActorRef, _ event: WatchEvent, _ difference: inout Difference
    ) throws(StoreError) {
        let old = operations[ref]
        difference.operations[ref] = .some(old)
        if let lease = old?.lease {
            operationsUnder[lease]?.remove(ref)
            if operationsUnder[lease]?.isEmpty == true { operationsUnder[lease] = nil }
        }
        operations[ref] = nil
        guard case .put(let pair, _) = event else { return }
        operations[ref] = HeldOperation(row: try Codec.decode(pair), lease: pair.lease)
        if let lease = pair.lease { operationsUnder[lease, default: []].insert(ref) }
    }

    private mutating func applySession(_ event: WatchEvent, _ difference: inout Difference) {
        if let lease = sessionLeases.removeValue(forKey: event.key) {
            sessions[lease, default: 0] -= 1
            if sessions[lease] == 0 {
                sessions[lease] = nil
                difference.endedSessions.append(lease)
            }
        }
        guard case .put(let pair, _) = event, let lease = pair.lease else { return }
        sessionLeases[event.key] = lease
        sessions[lease, default: 0] += 1
    }
}

extension Keys {
    /// Whether a replica's session lies under the key.
    fileprivate func isSession(_ key: Key) -> Bool { key.bytes.starts(with: replicas.bytes) }
}
