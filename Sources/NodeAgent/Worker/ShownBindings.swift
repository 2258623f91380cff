internal import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// What the watch has last shown of the bindings of a node's workers under one lease, whether they had a slot then or not.
///
/// A worker is there for the control plane as soon as its presence is. By the time its agent knows that, since the answer was
/// late, it can have been claimed, and the claim revoked because nobody answered. Nothing would tell of that again.
final class ShownBindings: Sendable {
    private struct Shown {
        var binding: Stored<Binding>?
        var revision: Int64
    }

    private let shown = Mutex<[WorkerRef: Shown]>([:])

    /// To be called before the worker's slot is looked up, so that one that is being inserted meanwhile is told by `tell`.
    func note(_ binding: Stored<Binding>?, of ref: WorkerRef, at revision: Int64) {
        shown.withLock { $0[ref] = Shown(binding: binding, revision: revision) }
    }

    /// Tells a slot that has just been inserted what it has missed.
    func tell(_ slot: WorkerSlot) {
        guard let missed = shown.withLock({ $0[slot.ref] }) else { return }
        slot.take(missed.binding, at: missed.revision)
    }
}
