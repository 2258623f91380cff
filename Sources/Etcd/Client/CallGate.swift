internal import Synchronization

/// Lets a limited number of calls through at a time; the others wait in order, each until its deadline.
final class CallGate: Sendable {
    private let limit: Int
    private let maximumWaiting: Int
    private let state = Mutex(State())

    private struct State {
        var running = 0
        var waiting: [UInt64: UnsafeContinuation<Admission, Never>] = [:]
        /// The tickets of those that wait, in order, and of some that have given up.
        var order: [UInt64] = []
        var firstInOrder = 0
        var nextTicket: UInt64 = 0
    }

    enum Admission: Sendable {
        case admitted
        case tooLate
        case tooMany
    }

    init(limit: Int, maximumWaiting: Int) {
        self.limit = limit
        self.maximumWaiting = maximumWaiting
    }

    /// Takes a place if one is free. It has to be given back with `leave`.
    func enterAtOnce() -> Bool {
        state.withLock { state in
            if state.running < limit { state.running += 1 } else { return false }
            return true
        }
    }

    func leave() {
        let next = state.withLock { state -> UnsafeContinuation<Admission, Never>? in
            while state.firstInOrder < state.order.count {
                let ticket = state.order[state.firstInOrder]
                state.firstInOrder += 1
                if state.firstInOrder > 1024, state.firstInOrder > state.order.count / 2 {
                    state.order.removeFirst(state.firstInOrder)
                    state.firstInOrder = 0
                }
                // The place changes hands.
                if let waiting = state.waiting.removeValue(forKey: ticket) { return waiting }
            }
            state.order.removeAll(keepingCapacity: true)
            state.firstInOrder = 0
            state.running -= 1
            return nil
        }
        next?.resume(returning: .admitted)
    }

    /// Waits for a place. One that is `admitted` has to be given back with `leave`.
    func enter(by end: ContinuousClock.Instant) async -> Admission {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        let alarm = Task {
            try await Task.sleep(until: end, clock: .continuous)
            giveUp(ticket)
        }
        defer { alarm.cancel() }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let atOnce = state.withLock { state -> Admission? in
                    if Task.isCancelled || .now >= end { return .tooLate }
                    if state.running < limit {
                        state.running += 1
                        return .admitted
                    }
                    if state.waiting.count >= maximumWaiting { return .tooMany }
                    state.waiting[ticket] = continuation
                    state.order.append(ticket)
                    return nil
                }
                if let atOnce { continuation.resume(returning: atOnce) }
            }
        } onCancel: {
            giveUp(ticket)
        }
    }

    private func giveUp(_ ticket: UInt64) {
        state.withLock { $0.waiting.removeValue(forKey: ticket) }?.resume(returning: .tooLate)
    }
}
