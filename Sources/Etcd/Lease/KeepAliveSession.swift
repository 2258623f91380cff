internal import CMessages
internal import GRPC
internal import Protobuf
internal import Synchronization

/// One stream of renewals, from its opening to its end.
final class KeepAliveSession: Sendable {
    /// The stream is closed after this time without a renewal. Longer than a third of most leases' time to live.
    private static let idleLimit: Duration = .seconds(60)

    private let core: EtcdCore
    private let state = Mutex(State())

    private struct State {
        /// What has been asked, by lease, in order: a server answers in the order of the requests. One that nobody waits for
        /// any more keeps its place, or its answer would be taken for that of a later request, which it must not be: the
        /// lease then would seem to have been renewed later than it was.
        var asked: [LeaseID: [Renewal]] = [:]
        var stream: MemberStream?
        /// Asked before there was a stream.
        var unsent: [LeaseID] = []
        var isClosed = false
        var lastUse = ContinuousClock.now
        var pump: Task<Void, Never>?
    }

    /// Opens a stream.
    init(_ core: EtcdCore) {
        self.core = core
        // Reading a stream never blocks, so it needs no thread but the network's.
        let pump = Task.detached(executorPreference: CallExecutor.shared) { await self.serve() }
        state.withLock { $0.pump = pump }
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Whether it goes to another member than calls do now. While it is being opened it does not.
    var isLeftBehind: Bool {
        guard let member = state.withLock({ $0.stream?.member }) else { return false }
        return member !== core.endpoints.current
    }

    func close() { state.withLock { $0.pump }?.cancel() }

    /// Ends the stream because of a request without an answer.
    func fail(_ error: EtcdError) { state.withLock { $0.stream }?.fail(error) }

    func add(_ renewal: Renewal) {
        renewal.went(to: self)
        let (isClosed, stream) = state.withLock { state -> (Bool, MemberStream?) in
            if state.isClosed { return (true, nil) }
            state.asked[renewal.lease, default: []].append(renewal)
            state.lastUse = .now
            if state.stream == nil { state.unsent.append(renewal.lease) }
            return (false, state.stream)
        }
        if isClosed {
            renewal.finish(
                .failure(
                    EtcdError(
                        .unavailable, renewal.operation, core.endpoints.current.endpoint, "the stream was just closed"))
            )
        }
        stream?.post(message(renewal.lease))
    }

    private func serve() async {
        let error: EtcdError
        do throws(EtcdError) {
            let stream = try await MemberStream(.leaseKeepAlive, core)
            install(stream)
            error = await stream.run(beside: { try await self.watchForIdleness(stream) }) { try self.take($0, stream) }
            if error.indictsMember, !isClosed { core.endpoints.leave(stream.member, because: error) }
        } catch let reason {
            error = reason
        }
        // Who waits is told, and decides with its own time left about another attempt, which opens another stream.
        let failure = error.code == .cancelled ? EtcdError(.unavailable, "", error.endpoint, error.text) : error
        for renewal in end() { renewal.finish(.failure(failure)) }
    }

    private func install(_ stream: MemberStream) {
        let unsent = state.withLock { state in
            state.stream = stream
            defer { state.unsent = [] }
            return state.unsent
        }
        for lease in unsent { stream.post(message(lease)) }
    }

    private func end() -> [Renewal] {
        state.withLock { state in
            state.isClosed = true
            state.stream = nil
            defer { state.asked = [:] }
            return Array(state.asked.values.joined())
        }
    }

    private func watchForIdleness(_ stream: MemberStream) async throws {
        while true {
            let left = state.withLock { state in
                let left = KeepAliveSession.idleLimit - (ContinuousClock.now - state.lastUse)
                // From here on nobody can ask.
                if left <= .zero { state.isClosed = true }
                return left
            }
            if left <= .zero { throw stream.error(.unavailable, "no lease to renew for \(KeepAliveSession.idleLimit)") }
            try await Task.sleep(for: left)
        }
    }

    private func take(_ message: Message, _ stream: MemberStream) throws {
        let (header, lease, timeToLive) = try message.unpack(Etcdserverpb__LeaseKeepAliveResponse.self) { response in
            (ResponseHeader(response.header), LeaseID(response.id), response.ttl)
        }
        try core.freshness.admitCluster(header, "renew lease \(lease)", from: stream.member)
        let renewal = state.withLock { state -> Renewal? in
            guard let first = state.asked[lease]?.removeFirst() else { return nil }
            if state.asked[lease]?.isEmpty == true { state.asked[lease] = nil }
            return first
        }
        renewal?.finish(.success(timeToLive))
    }

    private func message(_ lease: LeaseID) -> Message {
        Message.packing(Etcdserverpb__LeaseKeepAliveRequest.self) { request, _ in request.id = lease.rawValue }
    }
}
