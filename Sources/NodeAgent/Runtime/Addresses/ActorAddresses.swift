internal import Etcd
internal import GRPC
internal import ServiceKit
internal import SubstrateModel
internal import Synchronization

/// The addresses of a node's actors: each activation gets one that no other has had for a while, so that a request which
/// comes late fails to connect instead of reaching a stranger. That holds across restarts of the agent, too.
///
/// The range is cut into parts, of which each run of the agent uses one. Which parts may still be known to somebody is
/// written down before the run gives its first address, and again when it is as old as addresses rest: by then all the others
/// have rested, and only its own is left. So nothing is written for an activation and no clock has to outlive the agent; and
/// only a run that finds every part used, after as many restarts within the time of rest, has to wait for it.
final class ActorAddresses: Sendable {
    static let parts = AddressRecord.parts
    /// Fewest addresses in a range for each worker: of its part, four.
    static let perWorker = 4 * parts

    private let range: AddressRange
    private let rest: Duration
    private let ledger: any AddressLedger
    private let state = Mutex(State())

    private struct State {
        /// Nil until the run has begun.
        var pool: AddressPool?
        /// The part that this run uses.
        var part = 0
        var sinceBegin: Stopwatch?
        /// Whether the ledger says that only the own part is in use.
        var isSettled = false
    }

    init(_ range: AddressRange, rest: Duration, ledger: any AddressLedger) {
        self.range = range
        self.rest = rest
        self.ledger = ledger
    }

    /// Picks the part that this run uses. To be called when nothing of earlier runs is alive any more; all but the first call
    /// do nothing.
    /// - Throws: what the ledger throws: then no address may be given.
    func begin(_ environment: Environment) async throws {
        if state.withLock({ $0.pool != nil }) { return }
        let all = Array(0..<Self.parts)
        let known = try await ledger.read()
        let used = known.map { $0.range == "\(range)" ? $0.parts : all } ?? []
        // Without a record another run may have had any of them, as one whose state directory was lost: so that its last
        // addresses are unlikely to be ours.
        let first = used.last.map { $0 + 1 } ?? environment.chance.number(in: 0..<Self.parts)
        let fresh = all.map { (first + $0) % Self.parts }.first { !used.contains($0) }
        let part = fresh ?? first % Self.parts
        try await ledger.write(AddressRecord(range: "\(range)", parts: used.filter { $0 != part } + [part]))
        if fresh == nil {
            environment.log.warning(
                "all addresses rest, so no actor can be started for a while",
                ["range": .text(range), "for": .string("\(rest)")])
        }
        let now = environment.clock.stopwatch()
        let size = range.count / Self.parts
        let indices = part * size..<(part + 1) * size
        let start = environment.chance.number(in: indices)
        state.withLock { state in
            state.pool = AddressPool(
                range, indices, startingAt: start, rest: rest, quarantine: fresh == nil ? now : nil)
            state.part = part
            state.sinceBegin = now
        }
    }

    /// Writes down that only the own part is in use, once that is so.
    func settle(_ log: Log) async {
        let part = state.withLock { state in
            guard !state.isSettled, let age = state.sinceBegin?.elapsed(), age >= rest else { return nil as Int? }
            return state.part
        }
        guard let part else { return }
        do {
            try await ledger.write(AddressRecord(range: "\(range)", parts: [part]))
            state.withLock { $0.isSettled = true }
        } catch {
            if Task.isCancelled { return }
            log.warning(
                "cannot write down which addresses have rested, will try again", ["error": .string("\(error)")])
        }
    }

    /// An address for an activation on the worker, whose last one has ended and is bound no more.
    /// - Throws: `RuntimeFailure` when all are in use or rest. Then the worker is of no use until one has rested.
    func take(for pod: String, _ clock: any Clock<Duration>) throws(RuntimeFailure) -> ActorAddress {
        guard let address = state.withLock({ $0.pool?.take(for: pod, now: clock.stopwatch()) }) else {
            throw exhausted
        }
        return address
    }

    /// The start on the worker has come to nothing: nobody was told of its address, and nothing is there any more.
    func giveBack(_ address: ActorAddress, of pod: String) {
        state.withLock { $0.pool?.giveBack(address, of: pod) }
    }

    /// Does something at an address that could be given now, of which nobody else is told.
    /// - Throws: `RuntimeFailure`, also when there is none.
    func lending<Value>(
        _ body: (ActorAddress) async throws(RuntimeFailure) -> Value
    ) async throws(RuntimeFailure) -> Value {
        guard let lent = state.withLock({ $0.pool?.lend() }) else { throw exhausted }
        defer { state.withLock { $0.pool?.giveBack(lent.index) } }
        return try await body(lent.address)
    }

    private var exhausted: RuntimeFailure {
        RuntimeFailure(
            .unavailable,
            "the node has no address for an actor: all \(range.count / Self.parts) that it may use now are in use or were "
                + "until less than \(rest) ago; give it a larger --actor-addresses, or wait", mayLieInWorker: true)
    }
}
