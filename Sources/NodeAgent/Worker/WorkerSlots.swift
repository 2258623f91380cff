package import SubstrateModel
internal import SubstrateStore
internal import Synchronization

/// The workers that are registered now.
package final class WorkerSlots: Sendable {
    /// By the uid of the presence, which is how calls name a worker.
    private let slots = Mutex<[String: WorkerSlot]>([:])

    package init() {}

    package func slot(uid: String) -> WorkerSlot? { slots.withLock { $0[uid] } }

    package func slot(of ref: WorkerRef) -> WorkerSlot? { slots.withLock { $0.values.first { $0.ref == ref } } }

    /// Sorted by name.
    package var all: [WorkerSlot] { slots.withLock { $0.values.sorted { $0.ref.pod < $1.ref.pod } } }

    func insert(_ slot: WorkerSlot) { slots.withLock { $0[slot.presence.value.uid] = slot } }

    func remove(_ slot: WorkerSlot) { slots.withLock { $0[slot.presence.value.uid] = nil } }
}
