internal import GRPC
internal import Synchronization

/// The watches on one stream, from its opening to its end.
final class WatchSession: Sendable {
    let stream: MemberStream
    private let core: EtcdCore
    private let multiplexer: WatchMultiplexer
    private let opened = ContinuousClock.now
    /// What the member has to know, having to be no older than what the client has seen.
    private let knownRevision: Int64
    private let state: Mutex<State>

    private struct State {
        /// Watches by the number they have on this stream. A number is never used again, so that what is still on its way
        /// for an ended watch finds nobody.
        var watchers: [Int64: Watcher] = [:]
        var ids: [ObjectIdentifier: Int64] = [:]
        var lastID: Int64 = 0
        /// What was asked for and not yet answered, in order.
        var unanswered: [Int64] = []
        var lastHeard: ContinuousClock.Instant
        var wasServed = false
        var hasBroughtEvents = false
        var revision: Int64 = 0
    }

    init(_ core: EtcdCore, _ multiplexer: WatchMultiplexer) async throws(EtcdError) {
        self.core = core
        self.multiplexer = multiplexer
        knownRevision = core.freshness.mark.revision
        stream = try await MemberStream(.watch, core)
        state = Mutex(State(lastHeard: .now))
    }

    /// Whether it was of use: a break after that is no reason to wait before the next stream.
    var wasUseful: Bool { state.withLock { $0.hasBroughtEvents || ($0.wasServed && .now - opened > .seconds(1)) } }

    /// Sets a watch up at the server, unless it is already, or its consumer does not keep up.
    func create(_ watcher: Watcher) {
        let message = state.withLock { state -> Message? in
            guard state.ids[ObjectIdentifier(watcher)] == nil, let revision = watcher.resumePoint() else { return nil }
            state.lastID += 1
            state.watchers[state.lastID] = watcher
            state.ids[ObjectIdentifier(watcher)] = state.lastID
            state.unanswered.append(state.lastID)
            return watcher.request.message(id: state.lastID, from: revision)
        }
        if let message { stream.post(message) }
    }

    /// Ends a watch at the server.
    func forget(_ watcher: Watcher) {
        let id = state.withLock { state -> Int64? in
            guard let id = state.ids.removeValue(forKey: ObjectIdentifier(watcher)) else { return nil }
            state.watchers[id] = nil
            return id
        }
        if let id { stream.post(WatchRequest.cancellation(of: id)) }
    }

    /// Serves the watches until the stream fails.
    /// - Returns: why it failed.
    func run() async -> EtcdError {
        await stream.run(beside: { try await self.listenForLife() }, receive: { try self.take(WatchResponse($0)) })
    }

    private func take(_ response: WatchResponse) throws(EtcdError) {
        try core.freshness.admitCluster(response.header, "watch", from: stream.member)
        core.freshness.note(revision: response.header.revision)
        let watcher = state.withLock { state in
            state.lastHeard = .now
            state.wasServed = true
            state.hasBroughtEvents = state.hasBroughtEvents || !response.events.isEmpty
            state.revision = max(state.revision, response.header.revision)
            var id = response.watchID
            if response.isCreated {
                // A refused watch comes back without its number, but in its place.
                if id < 0, let first = state.unanswered.first { id = first }
                state.unanswered.removeAll { $0 == id }
            }
            return state.watchers[id]
        }
        // A sign of life, or the rest of a watch that has ended.
        guard let watcher else { return }
        if response.isCancelled { return try end(watcher, response) }
        // The revision of "created" is no point to resume from: events before it may not have been sent yet.
        if response.isCreated && response.events.isEmpty { return }
        if case .pause(let revision) = watcher.take(response) {
            core.options.hooks.log(.watchPaused(watcher.request.range, at: revision))
            forget(watcher)
            // The consumer may have caught up before the watch was forgotten, and then has found it still there.
            create(watcher)
        }
    }

    /// The server has ended a watch.
    private func end(_ watcher: Watcher, _ response: WatchResponse) throws(EtcdError) {
        state.withLock { state in
            guard let id = state.ids.removeValue(forKey: ObjectIdentifier(watcher)) else { return }
            state.watchers[id] = nil
        }
        if response.compactRevision > 0 {
            watcher.compacted(oldestRevision: response.compactRevision)
            return multiplexer.remove(watcher)
        }
        let code = EtcdError.Code(.unavailable, response.cancelReason)
        switch code {
        case .permissionDenied, .tokenInvalid: verifyPermission(of: watcher)
        default:
            throw stream.error(code, "the server ended the watch \(watcher.request.range): \(response.cancelReason)")
        }
    }

    /// Servers refuse an expired token on a stream with the words for a missing permission. A read of the same range, which
    /// renews the token, tells them apart.
    private func verifyPermission(of watcher: Watcher) {
        Task.detached(executorPreference: CallExecutor.shared) { [self] in
            var probe = RangeRequest(watcher.request.range)
            probe.countOnly = true
            do throws(EtcdError) {
                _ = try await core.range(probe)
                stream.fail(stream.error(.tokenInvalid, "the token of this stream is no longer accepted"))
            } catch {
                if error.isRetriable { return stream.fail(error) }
                watcher.fail(error)
                multiplexer.remove(watcher)
            }
        }
    }

    /// Fails when the member has not said anything for too long although asked, or stays behind what the client knows.
    private func listenForLife() async throws {
        let interval = core.options.signOfLifeInterval
        let patience = core.options.attemptTimeout * 2
        while true {
            let (heard, wasServed, revision) = state.withLock { ($0.lastHeard, $0.wasServed, $0.revision) }
            let silence = ContinuousClock.now - heard
            if silence > (wasServed ? interval * 2 : patience) {
                throw stream.error(.unavailable, "no sign of life for \(silence)")
            }
            let isBehind = wasServed && revision < knownRevision
            if isBehind, ContinuousClock.now - opened > interval * 2 {
                throw stream.error(
                    .staleMember,
                    "the member is at revision \(revision), behind revision \(knownRevision) that this client has seen")
            }
            guard silence >= interval || isBehind || !wasServed else {
                try await Task.sleep(for: interval - silence)
                continue
            }
            // Only ever a sign of life: servers have said "nothing before this is missing" falsely.
            if wasServed { stream.post(WatchRequest.progress()) }
            try await Task.sleep(for: interval / 4)
        }
    }
}
