internal import GRPC
internal import Synchronization

extension EtcdClient {
    /// Watches a range. All watches of a client share one stream.
    public func watch(_ request: WatchRequest) -> Watch {
        Watch(source: WatchHandle(request, watches))
    }
}

/// Carries all watches of a client over one stream, which it opens anew on a member that serves whenever it breaks.
final class WatchMultiplexer: Sendable {
    private let core: EtcdCore
    private let state = Mutex(State())

    private struct State {
        var watchers: [ObjectIdentifier: Watcher] = [:]
        var session: WatchSession?
        /// Runs while there is a watch.
        var pump: Task<Void, Never>?
    }

    init(core: EtcdCore) { self.core = core }

    var watcherLimit: Int { core.options.limits.watchBufferSize }

    /// Where messages about a watch say it happened.
    var endpoint: String { core.endpoints.current.endpoint }

    func add(_ watcher: Watcher) {
        let session = state.withLock { state in
            state.watchers[ObjectIdentifier(watcher)] = watcher
            if state.pump == nil {
                // Reading a stream never blocks, so it needs no thread but the network's.
                // It outlives the caller that was first, with its deadline.
                state.pump = Task.detached(executorPreference: CallExecutor.shared) { await self.pump() }
            }
            return state.session
        }
        session?.create(watcher)
    }

    func remove(_ watcher: Watcher) {
        let session = state.withLock { state -> WatchSession? in
            guard state.watchers.removeValue(forKey: ObjectIdentifier(watcher)) != nil else { return nil }
            guard state.watchers.isEmpty else { return state.session }
            // Under the lock, which `install` takes to look.
            state.pump?.cancel()
            state.pump = nil
            state.session = nil
            return nil
        }
        session?.forget(watcher)
    }

    /// The consumer of a paused watch has caught up.
    func unpause(_ watcher: Watcher) { state.withLock { $0.session }?.create(watcher) }

    private func pump() async {
        var failures = 0
        while !Task.isCancelled {
            let error: EtcdError
            var wasUseful = false
            do throws(EtcdError) {
                let session = try await WatchSession(core, self)
                guard let watchers = install(session) else { return }
                for watcher in watchers { session.create(watcher) }
                if failures > 0 { core.options.hooks.measure?(.watchesResumed(count: watchers.count)) }
                error = await session.run()
                wasUseful = session.wasUseful
                if error.indictsMember { core.endpoints.leave(session.stream.member, because: error) }
            } catch let reason {
                error = reason
            }
            if Task.isCancelled { return }
            failures = wasUseful ? 1 : failures + 1
            guard let count = prepareToResume(after: error) else { return }
            core.options.hooks.log(
                .watchesResuming(count: count, on: core.endpoints.current.endpoint, because: error))
            // Each member is tried at once; then they get a pause, which grows.
            let rounds = failures / core.endpoints.members.count
            guard rounds > 0 else { continue }
            let longest = min(core.options.initialBackoff * (1 << min(rounds, 10)), core.options.maximumBackoff)
            try? await Task.sleep(for: longest * Double.random(in: 0.5...1))
        }
    }

    /// Makes the session the one that new watches go to; returns those that there are, or nil when nobody watches any more.
    private func install(_ session: WatchSession) -> [Watcher]? {
        state.withLock { state in
            // Under the lock that `remove` takes to cancel: a pump without watches must not take over from a newer one.
            if Task.isCancelled { return nil }
            state.session = session
            return Array(state.watchers.values)
        }
    }

    /// Returns how many watches are to go on, or nil when there is no sense in it.
    private func prepareToResume(after error: EtcdError) -> Int? {
        let isFinal = error.code == .authFailed || error.code == .permissionDenied || error.code == .invalidRequest
        let (count, failed) = state.withLock { state -> (Int?, [Watcher]) in
            if Task.isCancelled { return (nil, []) }
            state.session = nil
            guard isFinal else { return (state.watchers.count, []) }
            defer {
                state.watchers = [:]
                state.pump = nil
            }
            return (nil, Array(state.watchers.values))
        }
        for watcher in failed { watcher.fail(error) }
        return count
    }
}

/// What a consumer holds; the watch ends with it.
private final class WatchHandle: WatchSource {
    private let multiplexer: WatchMultiplexer
    private let watcher: Watcher
    private let isOpen = Atomic<Bool>(false)

    init(_ request: WatchRequest, _ multiplexer: WatchMultiplexer) {
        self.multiplexer = multiplexer
        watcher = Watcher(request, limit: multiplexer.watcherLimit)
    }

    deinit { multiplexer.remove(watcher) }

    func next() async throws(EtcdError) -> WatchBatch? {
        if !isOpen.exchange(true, ordering: .relaxed) { multiplexer.add(watcher) }
        return try await watcher.next(
            EtcdError(.cancelled, "watch \(watcher.request.range)", multiplexer.endpoint, "the task was cancelled")
        ) {
            multiplexer.unpause(watcher)
        }
    }
}
