internal import Etcd
internal import SubstrateModel
internal import SubstrateStore

/// One change in the light of the state that it has led to.
struct Review {
    let state: StoreState
    let difference: StoreState.Difference

    var revision: Int64 { state.revision }

    func violation(_ promise: Violation.Promise, _ text: String) -> Violation {
        Violation(promise, at: revision, text)
    }

    /// The workers of which the presence or the binding has changed.
    var touchedWorkers: Set<WorkerRef> { Set(difference.bindings.keys).union(difference.presences.keys) }

    /// The actors whose row, operation, or worker has changed.
    var touchedActors: Set<ActorRef> {
        var refs = Set(difference.actors.keys).union(difference.operations.keys)
        for worker in touchedWorkers {
            if let actor = state.bindings[worker]?.value.actor { refs.insert(actor) }
            if let old = difference.bindings[worker], let actor = old?.value.actor { refs.insert(actor) }
        }
        return refs
    }

    /// The binding as it was before the change.
    func bindingBefore(_ worker: WorkerRef) -> Stored<Binding>? {
        if let changed = difference.bindings[worker] { changed } else { state.bindings[worker] }
    }

    /// The operation as it was before the change.
    func operationBefore(_ ref: ActorRef) -> StoreState.HeldOperation? {
        if let changed = difference.operations[ref] { changed } else { state.operations[ref] }
    }

    /// Invariants 2 and 3: an actor claims a worker exactly when one binding says so, and both name each other.
    func disagreements() -> [Violation] {
        touchedActors.compactMap { ref in
            let bound = state.workersOf[ref] ?? []
            let actor = state.actors[ref]?.value
            guard let worker = actor?.state.assignment?.worker else {
                guard let other = bound.first else { return nil }
                let status = actor.map { $0.status.rawValue } ?? "gone"
                return violation(.agreement, "\(other) is bound to \(ref), which is \(status)")
            }
            if bound != [worker] {
                return violation(.agreement, "\(ref) claims \(worker), and is bound to \(bound.sorted(by: <))")
            }
            if state.bindings[worker]?.value.actorUID != actor?.uid {
                return violation(.agreement, "\(worker) is bound to another life of \(ref)")
            }
            return nil
        }
    }

    /// The part of invariant 7 that holds at once: an operation does not outlive the session of its owner.
    func sessionViolations() -> [Violation] {
        var violations: [Violation] = []
        for lease in difference.endedSessions {
            for ref in state.operationsUnder[lease] ?? [] {
                violations.append(violation(.progress, "the operation on \(ref) has outlived its session \(lease)"))
            }
        }
        for (ref, before) in difference.operations {
            guard let operation = state.operations[ref] else { continue }
            if before != nil, before?.row.createRevision == operation.row.createRevision {
                violations.append(violation(.steps, "the operation on \(ref) was written over"))
            }
            guard let lease = operation.lease, state.sessions[lease] != nil else {
                violations.append(violation(.progress, "the operation on \(ref) is under no session"))
                continue
            }
        }
        return violations
    }

    /// What may become of presences and bindings by themselves.
    func workerViolations() -> [Violation] {
        var violations: [Violation] = []
        for (worker, before) in difference.presences {
            guard let before, let after = state.presences[worker] else { continue }
            if before.createRevision == after.createRevision, before.value.uid != after.value.uid {
                violations.append(violation(.steps, "the presence of \(worker) was overwritten by another"))
            }
        }
        for (worker, before) in difference.bindings {
            guard let before, let after = state.bindings[worker] else { continue }
            if before.createRevision != after.createRevision || before.value.incarnation != after.value.incarnation
                || before.value.actorUID != after.value.actorUID || before.value.isRevoked
            {
                violations.append(violation(.steps, "the binding of \(worker) was changed into another"))
            }
            if after.value.isRevoked, state.operations[after.value.actor] == nil {
                violations.append(violation(.steps, "\(worker) was revoked without an operation"))
            }
        }
        return violations
    }
}

extension WorkerRef {
    /// An order for messages.
    static func < (left: WorkerRef, right: WorkerRef) -> Bool { "\(left)" < "\(right)" }
}
