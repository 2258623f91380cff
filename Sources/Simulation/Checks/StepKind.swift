import Etcd
import SubstrateModel
import SubstrateStore

/// The transactions of the design's table.
package enum StepKind: String, CaseIterable, Sendable {
    case createActor = "create actor"
    case updateActor = "update actor"
    case deleteActor = "delete actor"
    case deleteAtespace = "delete atespace"
    case claim
    case running
    case undoResume = "undo resume"
    case beginSuspend = "begin suspend"
    case beginPause = "begin pause"
    case suspended
    case paused
    case backToRunning = "back to running"
    case abandon
    case revoke
    case adopt
    case release
    case dropBinding = "drop stale binding"
    case dropOperation = "drop operation"

    /// Whether the table's own steps ever lead to where this is committed. A binding without its actor, and an operation on a
    /// stable one, only come from rows that somebody has changed by hand: every step changes them together. Both are tried all
    /// the same, by those whose view of the rows is old, and then conflict.
    var canCommit: Bool { self != .dropBinding && self != .dropOperation }
}

extension StepKind {
    static let keys = Keys()

    /// What a transaction tries to be, from what it writes and from the rows that it was decided on; nil for none of them.
    init?(_ transaction: Transaction, _ model: EtcdModel) {
        if transaction.isReadOnly { return nil }
        let writes = Writes(transaction.success)
        guard let kind = Self.kind(writes, transaction, model) else { return nil }
        self = kind
    }

    private struct Writes {
        var actor: Actor?
        var actorKey: Key?
        var deletesActor = false
        var binding: Binding?
        var deletesBinding = false
        var putsOperation = false
        var deletesOperation = false
        var deletesAtespace = false

        init(_ operations: [Transaction.Operation]) {
            for operation in operations {
                switch operation {
                case .put(let put): note(put)
                case .deleteRange(let delete): note(delete.range.start)
                case .range: break
                }
            }
        }

        private mutating func note(_ put: PutRequest) {
            let pair = KeyValue(key: put.key, value: put.value, createRevision: 0, modRevision: 0, version: 0)
            if StepKind.keys.actorRef(put.key) != nil {
                actor = try? Codec.decode(pair, as: Actor.self).value
                actorKey = put.key
            }
            if case .bound = StepKind.keys.worker(put.key) {
                binding = try? Codec.decode(pair, as: Binding.self).value
            }
            if StepKind.keys.operationRef(put.key) != nil { putsOperation = true }
        }

        private mutating func note(_ deleted: Key) {
            if StepKind.keys.actorRef(deleted) != nil { deletesActor = true }
            if StepKind.keys.operationRef(deleted) != nil { deletesOperation = true }
            if StepKind.keys.atespaceName(deleted) != nil { deletesAtespace = true }
            if case .bound = StepKind.keys.worker(deleted) { deletesBinding = true }
        }
    }

    private static func kind(_ writes: Writes, _ transaction: Transaction, _ model: EtcdModel) -> StepKind? {
        if writes.deletesAtespace { return .deleteAtespace }
        if writes.deletesActor { return .deleteActor }
        if writes.deletesBinding, transaction.comparesPresence {
            return writes.actor == nil ? .dropBinding : .release
        }
        guard let actor = writes.actor, let key = writes.actorKey else {
            if writes.binding?.isRevoked == true { return .revoke }
            if writes.putsOperation { return .adopt }
            return writes.deletesOperation ? .dropOperation : nil
        }
        switch actor.state {
        case .resuming where writes.putsOperation: return .claim
        case .suspending where writes.putsOperation: return .beginSuspend
        case .pausing where writes.putsOperation: return .beginPause
        case .running where writes.deletesOperation:
            // Only a resume that has succeeded forgets why an earlier one failed, so the row before tells them apart.
            return model.actor(key)?.state.status == .resuming ? .running : .backToRunning
        case .suspended, .paused:
            guard writes.deletesOperation else { break }
            return ended(actor, from: model.actor(key))
        default: break
        }
        return transaction.conditions.contains(where: \.isAbsence) ? .createActor : .updateActor
    }

    private static func ended(_ actor: Actor, from before: Actor?) -> StepKind {
        switch before?.state {
        case .pausing where actor.state == .paused: .paused
        case .suspending where actor.lastSnapshot != before?.lastSnapshot: .suspended
        case .suspending, .pausing: .abandon
        default: .undoResume
        }
    }
}

extension EtcdModel {
    fileprivate func actor(_ key: Key) -> Actor? { pair(key).flatMap { try? Codec.decode($0, as: Actor.self).value } }
}

extension Transaction {
    /// Whether it asks for a worker that is lost, as only releases do.
    var comparesPresence: Bool { conditions.contains(where: \.isPresenceCompare) }
}

extension Compare {
    /// The condition that a presence is not the one that was bound.
    var isPresenceCompare: Bool {
        guard case .live = StepKind.keys.worker(range.start), relation == .notEqual else { return false }
        return true
    }

    fileprivate var isAbsence: Bool { relation == .equal && target == .createRevision(0) }
}
