internal import Etcd
internal import Synchronization

/// Whether the loops of a node make progress: each has to have beaten within a limit.
///
/// What is measured is that a loop takes up what is asked of it, not how long that takes. A start or a checkpoint may last
/// for minutes, and whoever asked for it decides when to give it up.
package final class LoopHealth: Sendable {
    private struct Loop {
        var name: String
        var sinceBeat: Stopwatch
        /// How long it may be silent from then on.
        var patience: Duration
    }

    private struct State {
        var next = 0
        /// In the order in which they have begun.
        var loops: [(id: Int, loop: Loop)] = []
        var reported: [String] = []
    }

    /// Says that a loop makes progress. What it is given is how long it may be silent from now on; nil for the usual limit.
    package typealias Beat = @Sendable (Duration?) -> Void

    private let limit: Duration
    private let clock: any Clock<Duration>
    private let state = Mutex(State())

    /// - Parameter limit: how long a loop may be silent.
    package init(limit: Duration, clock: any Clock<Duration>) {
        self.limit = limit
        self.clock = clock
    }

    /// How often a loop should beat, so that one which is merely slow is not taken for one that hangs.
    package var interval: Duration { limit / 8 }

    /// The loops that have been silent for too long.
    package var hung: [String] { state.withLock { hung($0) } }

    /// The same, when they are not those that were told last.
    package func newlyHung() -> [String]? {
        state.withLock { state in
            let hung = hung(state)
            defer { state.reported = hung }
            return hung == state.reported ? nil : hung
        }
    }

    private func hung(_ state: State) -> [String] {
        state.loops.filter { $0.loop.sinceBeat.elapsed() > $0.loop.patience }.map(\.loop.name)
    }

    /// Counts a loop in while `body` runs: from now on, and until it has returned, also when it is cancelled. What has been
    /// told to stop has to come to an end.
    package func watching<Result: Sendable>(
        _ name: String, _ body: (_ beat: @escaping Beat) async throws -> Result
    ) async rethrows -> Result {
        let id = state.withLock { state in
            state.next += 1
            state.loops.append((state.next, Loop(name: name, sinceBeat: clock.stopwatch(), patience: limit)))
            return state.next
        }
        defer { state.withLock { $0.loops.removeAll { $0.id == id } } }
        return try await body { self.beat(id, patience: $0 ?? self.limit) }
    }

    private func beat(_ id: Int, patience: Duration) {
        state.withLock { state in
            for index in state.loops.indices where state.loops[index].id == id {
                state.loops[index].loop.sinceBeat = clock.stopwatch()
                state.loops[index].loop.patience = patience
            }
        }
    }
}
