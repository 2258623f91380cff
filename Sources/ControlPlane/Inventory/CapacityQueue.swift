internal import ServiceKit
package import SubstrateModel
package import SubstrateStore

/// A worker that is kept from other resumes of this replica.
package typealias ReservedWorker = (ref: WorkerRef, presence: Stored<Presence>)

/// Resumes that wait for a worker, in the order in which they came. A worker that becomes free goes to the first one that
/// it would do for, and wakes nobody else.
struct CapacityQueue {
    private struct Ticket {
        var id: Int
        var demand: WorkerDemand
        var continuation: UnsafeContinuation<ReservedWorker?, Never>
    }

    private var tickets: [Ticket] = []

    var count: Int { tickets.count }

    mutating func append(
        _ id: Int, _ demand: WorkerDemand, _ continuation: UnsafeContinuation<ReservedWorker?, Never>
    ) {
        tickets.append(Ticket(id: id, demand: demand, continuation: continuation))
    }

    /// Takes somebody out who does not wait any more.
    mutating func remove(_ id: Int) -> UnsafeContinuation<ReservedWorker?, Never>? {
        guard let index = tickets.firstIndex(where: { $0.id == id }) else { return nil }
        return tickets.remove(at: index).continuation
    }

    /// Gives out what is free. Returns who is to be told of what, once no lock is held any more.
    mutating func serve(
        from table: inout WorkerTable, _ chance: Chance
    ) -> [(UnsafeContinuation<ReservedWorker?, Never>, ReservedWorker)] {
        guard !tickets.isEmpty else { return [] }
        var served: [(UnsafeContinuation<ReservedWorker?, Never>, ReservedWorker)] = []
        // Most who wait, wait for the same: what was in vain for one is so for the next.
        var vain: [WorkerDemand] = []
        tickets.removeAll { ticket in
            guard !vain.contains(ticket.demand) else { return false }
            guard let worker = table.reserve(ticket.demand, chance) else {
                vain.append(ticket.demand)
                return false
            }
            served.append((ticket.continuation, worker))
            return true
        }
        return served
    }
}
