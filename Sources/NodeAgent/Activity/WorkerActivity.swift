internal import ServiceKit
package import SubstrateAPI
internal import SubstrateModel

extension WorkerSlots {
    /// Takes in which actors have been asked to serve, and says for how long others have been idle.
    /// - Throws: `RuntimeFailure` when the connections cannot be looked at.
    package func activity(_ request: ActivityRequest) async throws(RuntimeFailure) -> ActivityResponse {
        for uid in request.served { slot(uid: uid)?.noteServed() }
        let slots = request.asked.compactMap { slot(uid: $0) }
        guard let first = slots.first else { return ActivityResponse(workers: []) }
        // All of them have the same runtime, and one look is for all.
        let notes = slots.map(\.servedNotes)
        let connected = try await first.connectedAddresses()
        return ActivityResponse(
            workers: zip(slots, notes).compactMap { slot, notes in slot.activity(connected, notesBefore: notes) })
    }
}
