internal import Foundation
internal import GRPC
package import NodeAgent
package import SubstrateAPI
package import SubstrateModel
internal import Synchronization

/// A runtime whose actors are only pretended: they start at once, unless a test says otherwise.
package final class InstantRuntime: Runtime {
    package var sandboxClass: SandboxClass { .process }
    package let localSnapshots: LocalSnapshots
    package var localSnapshotStore: any LocalSnapshotStore { LocalSnapshotsOnDisk(localSnapshots) }
    private let directory: TemporaryDirectory

    private struct State {
        var running: [Epoch: InstantSandbox] = [:]
        var frozen: Set<Epoch> = []
        var started: [Epoch] = []
        var origins: [SnapshotURI?] = []
        var addresses: [ActorAddress] = []
        var startFailure: RuntimeFailure?
        var checkpointFailure: RuntimeFailure?
        var selfTestFailure: RuntimeFailure?
        var selfTests = 0
        var actorsRunDuringCheckpoints = false
        var beforeKillingLeftovers: (@Sendable () async -> Void)?
        var beforeAnswer: (@Sendable () async -> Void)?
        var beforeStart: (@Sendable (Activation) async throws -> Void)?
        var beforeCheckpoint: (@Sendable () async -> Void)?
        var afterKill: (@Sendable () async -> Void)?
        var connected: Set<ActorAddress> = []
    }

    private let state = Mutex(State())

    /// - Parameter directory: for local snapshots, each of which is an empty directory.
    package init(directory: TemporaryDirectory = TemporaryDirectory()) {
        self.directory = directory
        localSnapshots = LocalSnapshots(root: "\(directory.path)/snapshots")
    }

    /// The epochs that have been started, in order.
    package var started: [Epoch] { state.withLock { $0.started } }
    /// What they were started from, in the same order.
    package var origins: [SnapshotURI?] { state.withLock { $0.origins } }
    /// Where they were to listen, in the same order.
    package var addresses: [ActorAddress] { state.withLock { $0.addresses } }
    /// The epochs that are alive now, frozen ones included.
    package var running: [Epoch] { state.withLock { $0.running.keys.sorted() } }
    /// The epochs that are alive and frozen.
    package var frozen: [Epoch] {
        state.withLock { state in state.running.keys.filter(state.frozen.contains).sorted() }
    }
    /// How many self-tests there have been.
    package var selfTests: Int { state.withLock { $0.selfTests } }

    /// Makes every start fail, or with nil succeed again.
    package func failStarts(with failure: RuntimeFailure?) { state.withLock { $0.startFailure = failure } }
    /// Makes every checkpoint fail, or with nil succeed again.
    package func failCheckpoints(with failure: RuntimeFailure?) { state.withLock { $0.checkpointFailure = failure } }
    /// Makes every self-test fail, or with nil succeed again.
    package func failSelfTests(with failure: RuntimeFailure?) { state.withLock { $0.selfTestFailure = failure } }
    /// Called before what was left behind is taken for dead.
    package func beforeKillingLeftovers(_ hook: (@Sendable () async -> Void)?) {
        state.withLock { $0.beforeKillingLeftovers = hook }
    }

    /// Called before the runtime answers that it is not stuck.
    package func beforeAnswer(_ hook: (@Sendable () async -> Void)?) { state.withLock { $0.beforeAnswer = hook } }
    /// Called before each start.
    package func beforeStart(_ hook: (@Sendable (Activation) async throws -> Void)?) {
        state.withLock { $0.beforeStart = hook }
    }

    /// Called before each checkpoint.
    package func beforeCheckpoint(_ hook: (@Sendable () async -> Void)?) {
        state.withLock { $0.beforeCheckpoint = hook }
    }

    /// Has actors keep still for their snapshots by themselves.
    package func letActorsRunDuringCheckpoints() { state.withLock { $0.actorsRunDuringCheckpoints = true } }
    fileprivate var actorsRunDuringCheckpoints: Bool { state.withLock { $0.actorsRunDuringCheckpoints } }

    /// Called when an actor has been killed, before that is said.
    package func afterKill(_ hook: (@Sendable () async -> Void)?) { state.withLock { $0.afterKill = hook } }

    /// The actor of the epoch writes a line.
    package func say(_ text: String, _ epoch: Epoch, _ source: LogLine.Source = .standardOutput) {
        state.withLock { $0.running[epoch] }?.output.write(Array(text.utf8), source, container: "main")
    }

    /// The actor of the epoch dies by itself.
    package func die(_ epoch: Epoch) { state.withLock { $0.running[epoch] }?.end() }

    /// Pretends that somebody is connected to the actors at these addresses, and to no others.
    package func connect(to addresses: Set<ActorAddress>) { state.withLock { $0.connected = addresses } }

    package func connectedAddresses() async throws(RuntimeFailure) -> Set<ActorAddress> {
        state.withLock { $0.connected }
    }

    package func killLeftovers() async throws { await state.withLock { $0.beforeKillingLeftovers }?() }

    package func start(_ activation: Activation) async throws(RuntimeFailure) -> any Sandbox {
        do {
            try await state.withLock { $0.beforeStart }?(activation)
        } catch {
            throw RuntimeFailure(.cancelled, "\(error)")
        }
        try await activation.permit()
        if let failure = state.withLock({ $0.startFailure }) { throw failure }
        let sandbox = InstantSandbox(epoch: activation.epoch, output: activation.output, runtime: self)
        state.withLock { state in
            state.running[activation.epoch] = sandbox
            state.started.append(activation.epoch)
            state.origins.append(activation.snapshot)
            state.addresses.append(activation.address)
        }
        return sandbox
    }

    package func selfTest(pod: String, address: ActorAddress?) async throws(RuntimeFailure) {
        let failure = state.withLock { state in
            state.selfTests += 1
            return state.selfTestFailure
        }
        if let failure { throw failure }
    }

    package func answer() async { await state.withLock { $0.beforeAnswer }?() }

    /// Freezes what runs.
    package func freeze() { state.withLock { $0.frozen = Set($0.running.keys) } }

    /// Lets frozen actors go on.
    package func thaw(_ epochs: [Epoch]) { state.withLock { $0.frozen.subtract(epochs) } }

    /// Local snapshots are looked for before a start, so they have to be there.
    fileprivate func pretend(_ snapshot: SnapshotURI) {
        guard let path = snapshot.filePath, path.hasPrefix(localSnapshots.root) else { return }
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    fileprivate func stand(still epoch: Epoch) { state.withLock { _ = $0.frozen.insert(epoch) } }

    fileprivate func ended(_ epoch: Epoch) { state.withLock { $0.running[epoch] = nil } }

    fileprivate var killHook: (@Sendable () async -> Void)? { state.withLock { $0.afterKill } }
    fileprivate var checkpointHook: (@Sendable () async -> Void)? { state.withLock { $0.beforeCheckpoint } }
    fileprivate var checkpointFailure: RuntimeFailure? { state.withLock { $0.checkpointFailure } }
}

/// A pretended actor.
final class InstantSandbox: Sandbox {
    private let epoch: Epoch
    let output: ActorOutput
    private let runtime: InstantRuntime
    private let state = Mutex(State())

    private struct State {
        var hasEnded = false
        var waiters: [Int: CheckedContinuation<String?, Never>] = [:]
        var nextID = 0
    }

    init(epoch: Epoch, output: ActorOutput, runtime: InstantRuntime) {
        self.epoch = epoch
        self.output = output
        self.runtime = runtime
    }

    var hasEnded: Bool { state.withLock { $0.hasEnded } }
    var runsDuringCheckpoint: Bool { runtime.actorsRunDuringCheckpoints }

    func waitForEnd() async -> String? {
        let id = state.withLock { state in
            defer { state.nextID += 1 }
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isOver, hasEnded) = state.withLock { state in
                    if state.hasEnded || Task.isCancelled { return (true, state.hasEnded) }
                    state.waiters[id] = continuation
                    return (false, false)
                }
                if isOver { continuation.resume(returning: hasEnded ? "it ended" : nil) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: nil)
        }
    }

    func end() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        output.end()
        runtime.ended(epoch)
        for waiter in waiters { waiter.resume(returning: "it ended") }
    }

    func checkpoint(
        to snapshot: SnapshotURI, _ content: SnapshotContent, if condition: CheckpointCondition?
    ) async throws(RuntimeFailure) {
        do throws(RuntimeFailure) {
            try await condition?()
            await runtime.checkpointHook?()
            if let failure = runtime.checkpointFailure { throw failure }
            try await condition?()
        } catch {
            runtime.stand(still: epoch)
            throw error
        }
        runtime.pretend(snapshot)
        end()
    }

    func terminate() { end() }

    func kill() async {
        end()
        await runtime.killHook?()
    }
}
