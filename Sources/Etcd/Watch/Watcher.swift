internal import Synchronization

/// One watch: what has been received for it and not yet been read, and where it goes on.
///
/// The stream's task puts in, the consumer's task takes out.
final class Watcher: Sendable {
    let request: WatchRequest
    private let limit: Int
    private let state: Mutex<State>

    fileprivate struct State {
        /// The first revision that has not been received whole. Every stream goes on from here.
        var nextRevision: Int64
        /// Whole revisions that nobody has read yet.
        var buffer: [WatchEvent] = []
        var bufferCost = 0
        /// The events so far of a revision of which more is to come.
        var partial: [WatchEvent] = []
        /// What comes after the buffer.
        var ending: Ending?
        /// Ended at the server until the consumer has caught up.
        var isPaused = false
        var consumer: UnsafeContinuation<Delivery, Never>?
    }

    fileprivate enum Ending {
        case compacted(Int64)
        case failed(EtcdError)
        case over
    }

    /// What the consumer gets.
    fileprivate enum Delivery: Sendable {
        case batch(WatchBatch, wasPaused: Bool)
        case failed(EtcdError)
        case over
        case cancelled
    }

    /// What the stream has to do after a response.
    enum Reaction {
        case none
        /// The consumer does not keep up: end the watch at the server.
        case pause(at: Int64)
    }

    init(_ request: WatchRequest, limit: Int) {
        self.request = request
        self.limit = limit
        state = Mutex(State(nextRevision: request.revision))
    }

    /// Where a new stream has to go on, or nil when it has nothing to do with it.
    func resumePoint() -> Int64? {
        state.withLock { state in
            if state.isPaused || state.ending != nil { return nil }
            // What was begun is sent again, whole.
            state.partial = []
            return state.nextRevision
        }
    }

    /// Takes the events of one response in.
    func take(_ response: WatchResponse) -> Reaction {
        let (consumer, delivery, reaction) = state.withLock { state in
            state.takeEvents(response)
            var reaction = Reaction.none
            if state.bufferCost > limit, state.consumer == nil {
                state.isPaused = true
                state.partial = []
                reaction = .pause(at: state.nextRevision)
            }
            let (consumer, delivery) = state.deliver()
            return (consumer, delivery, reaction)
        }
        if let consumer, let delivery { consumer.resume(returning: delivery) }
        return reaction
    }

    /// The history that it needs is gone.
    func compacted(oldestRevision: Int64) { end(.compacted(oldestRevision)) }

    /// It can not go on.
    func fail(_ error: EtcdError) { end(.failed(error)) }

    private func end(_ ending: Ending) {
        let (consumer, delivery) = state.withLock { state in
            if state.ending == nil { state.ending = ending }
            state.partial = []
            return state.deliver()
        }
        if let consumer, let delivery { consumer.resume(returning: delivery) }
    }

    /// Waits for the next batch.
    /// - Parameter resume: called when the watch was paused and has to be set up at the server again.
    func next(
        _ cancelled: @autoclosure () -> EtcdError, resume: () -> Void
    ) async throws(EtcdError) -> WatchBatch? {
        let delivery = await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Delivery, Never>) in
                let (consumer, delivery) = state.withLock {
                    state -> (UnsafeContinuation<Delivery, Never>?, Delivery?) in
                    if Task.isCancelled { return (continuation, .cancelled) }
                    state.consumer = continuation
                    return state.deliver()
                }
                if let consumer, let delivery { consumer.resume(returning: delivery) }
            }
        } onCancel: {
            let consumer = state.withLock { state in
                defer { state.consumer = nil }
                return state.consumer
            }
            consumer?.resume(returning: .cancelled)
        }
        switch delivery {
        case .batch(let batch, let wasPaused):
            if wasPaused { resume() }
            return batch
        case .failed(let error): throw error
        case .over: return nil
        case .cancelled: throw cancelled()
        }
    }
}

extension Watcher.State {
    fileprivate mutating func takeEvents(_ response: WatchResponse) {
        guard !response.events.isEmpty || !partial.isEmpty else { return }
        var news = response.events
        // A server should not send what it has sent; if it does, nobody gets it twice.
        if let first = news.first, first.revision < nextRevision { news.removeAll { $0.revision < nextRevision } }
        if partial.isEmpty, !response.isFragment {
            buffer += news
        } else {
            var events = partial + news
            partial = []
            if response.isFragment, let last = events.last?.revision {
                // The fragment's last revision may go on in the next one. Those before it are whole.
                let whole = events.firstIndex { $0.revision == last } ?? events.startIndex
                partial = Array(events[whole...])
                events.removeSubrange(whole...)
                nextRevision = max(nextRevision, last)
            }
            buffer += events
        }
        bufferCost += response.cost
        if let last = buffer.last?.revision { nextRevision = max(nextRevision, last + 1) }
    }

    /// What the waiting consumer gets, if there is one and there is something.
    fileprivate mutating func deliver() -> (UnsafeContinuation<Watcher.Delivery, Never>?, Watcher.Delivery?) {
        guard let waiting = consumer else { return (nil, nil) }
        if !buffer.isEmpty {
            let events = buffer
            let wasPaused = isPaused
            buffer = []
            bufferCost = 0
            isPaused = false
            consumer = nil
            return (waiting, .batch(.events(events), wasPaused: wasPaused))
        }
        switch ending {
        case nil: return (nil, nil)
        case .compacted(let oldest):
            ending = .over
            consumer = nil
            return (waiting, .batch(.compacted(oldestRevision: oldest), wasPaused: false))
        case .failed(let error):
            consumer = nil
            return (waiting, .failed(error))
        case .over:
            consumer = nil
            return (waiting, .over)
        }
    }
}
