internal import GRPC
internal import Synchronization

extension EtcdClient {
    /// Watches a range.
    public func watch(_ range: KeyRange, from revision: Int64) -> Watch {
        Watch(source: WatchStream(client: self, range: range, revision: revision))
    }
}

/// A watch on a gRPC stream of its own, opened anew from the last whole response whenever it breaks.
final class WatchStream: WatchSource {
    private let client: EtcdClient
    private let range: KeyRange
    private let state: Mutex<State>

    /// Only the one task that iterates changes it; the lock makes that checkable.
    private struct State {
        /// The first revision that has not been delivered.
        var nextRevision: Int64
        var stream: BidirectionalCall?
        /// Events of a response of which more is to come.
        var fragments: [WatchEvent] = []
        var backoff: Duration
        var hasEnded = false
    }

    init(client: EtcdClient, range: KeyRange, revision: Int64) {
        self.client = client
        self.range = range
        state = Mutex(State(nextRevision: revision, backoff: client.options.initialBackoff))
    }

    func next() async throws(EtcdError) -> WatchBatch? {
        if state.withLock({ $0.hasEnded }) { return nil }
        while true {
            do {
                let stream = try await openStream()
                guard let message = try await stream.receive() else {
                    throw RPCError.failed(Status(code: .unavailable, message: "the server ended the stream"))
                }
                if let batch = try digest(try WatchResponse(message)) { return batch }
            } catch let error as RPCError {
                try await resume(
                    after: EtcdError(error, operation: operation, endpoint: client.endpoint, isWrite: false))
            } catch let error as EtcdError {
                try await resume(after: error)
            } catch {
                throw failure(.other, "the response cannot be read: \(error)")
            }
        }
    }

    private var operation: String { "watch \(range)" }

    private func openStream() async throws(RPCError) -> BidirectionalCall {
        if let stream = state.withLock({ $0.stream }) { return stream }
        // A member that has lost its leader would otherwise stay silent for as long as it is cut off.
        let stream = try client.channel.stream(Method("/etcdserverpb.Watch/Watch"), metadata: ["hasleader": "true"])
        let revision = state.withLock { state in
            state.stream = stream
            return state.nextRevision
        }
        try await stream.send(WatchResponse.create(range, from: revision))
        return stream
    }

    /// Takes one response in; returns what is to be delivered of it.
    private func digest(_ response: WatchResponse) throws(EtcdError) -> WatchBatch? {
        if response.isCancelled {
            guard response.compactRevision > 0 else {
                let isNoLeader = response.cancelReason.contains("no leader")
                throw failure(
                    isNoLeader || response.cancelReason.isEmpty ? .unavailable : .other, response.cancelReason)
            }
            state.withLock { state in
                state.stream = nil
                state.hasEnded = true
            }
            return .compacted(oldestRevision: response.compactRevision)
        }
        // The revision of "created" is no point to resume from: events before it may not have been sent yet.
        if response.isCreated { return nil }
        let events = state.withLock { state -> [WatchEvent] in
            state.backoff = client.options.initialBackoff
            state.fragments += response.events
            guard !response.isFragment else { return [] }
            defer { state.fragments = [] }
            if let last = state.fragments.last { state.nextRevision = last.revision + 1 }
            return state.fragments
        }
        return events.isEmpty ? nil : .events(events)
    }

    /// Prepares for another stream, or throws when there is no sense in it.
    private func resume(after error: EtcdError) async throws(EtcdError) {
        let (revision, pause) = state.withLock { state in
            state.stream?.cancel()
            state.stream = nil
            state.fragments = []
            let pause = state.backoff
            state.backoff = min(pause * 2, client.options.maximumBackoff)
            return (state.nextRevision, pause)
        }
        if Task.isCancelled { throw failure(.cancelled, "the task was cancelled") }
        switch error.code {
        case .permissionDenied, .authFailed, .invalidRequest: throw error
        default: break
        }
        client.options.onEvent(.watchResuming(range, from: revision, because: error))
        do {
            try await Task.sleep(for: pause * Double.random(in: 0.5...1))
        } catch {
            throw failure(.cancelled, "the task was cancelled")
        }
    }

    private func failure(_ code: EtcdError.Code, _ text: String) -> EtcdError {
        EtcdError(code: code, operation: operation, endpoint: client.endpoint, text: text, outcome: .notApplied)
    }
}
