internal import ServiceKit
package import SubstrateAPI
package import SubstrateModel
internal import Synchronization

/// What an actor writes during one stay on a worker: kept as far as it fits, and passed to whoever reads it.
///
/// Readers have no buffer of their own, only a position in what is kept. So a slow one costs nothing and holds nobody back:
/// what is given up before he comes to it is told to him as a number of lines.
package final class ActorOutput: Sendable {
    package let epoch: Epoch
    private let workerPod: String
    private let wallClock: @Sendable () -> Int64
    private let state = Mutex(State())

    private struct State {
        var kept = KeptLines()
        var hasEnded = false
        var nextReader = 0
        /// How to tell each reader that there is more.
        var readers: [Int: Signal] = [:]
    }

    package init(epoch: Epoch, workerPod: String, wallClock: @escaping @Sendable () -> Int64) {
        self.epoch = epoch
        self.workerPod = workerPod
        self.wallClock = wallClock
    }

    /// Takes a line, without its end. Never waits for a reader.
    package func write(_ text: [UInt8], _ source: LogLine.Source, container: String) {
        let line = LogLine(
            timeMilliseconds: wallClock(), source: source, container: container, text: text, workerPod: workerPod)
        change { if !$0.hasEnded { $0.kept.append(line) } }
    }

    /// Nothing more comes. Readers end when they have read to here.
    package func end() { change { $0.hasEnded = true } }

    private func change(_ body: (inout State) -> Void) {
        let readers = state.withLock { state in
            body(&state)
            return state.readers.isEmpty ? [] : Array(state.readers.values)
        }
        for signal in readers { signal.fire() }
    }

    /// Begins to read.
    /// - Parameters:
    ///   - tail: how many of the lines that are kept come; nil for all.
    ///   - afterLine: how many lines have been read before, which do not come.
    ///   - follow: whether also what is written later comes, until the end.
    package func reader(tail: Int? = nil, afterLine: Int64 = 0, follow: Bool) -> Reader {
        let more = Signal()
        let (id, position) = state.withLock { state in
            state.nextReader += 1
            state.readers[state.nextReader] = more
            return (state.nextReader, max(afterLine, state.kept.position(tail: tail)))
        }
        return Reader(output: self, id: id, more: more, position: position, follow: follow)
    }

    /// How many read.
    package var readerCount: Int { state.withLock { $0.readers.count } }

    /// One who reads. Ends when it is let go of.
    package final class Reader: Sendable {
        private let output: ActorOutput
        private let id: Int
        private let more: Signal
        private let follow: Bool
        private let progress: Mutex<Progress>

        private struct Progress {
            var position: Int64
            var hasBegun = false
        }

        fileprivate init(output: ActorOutput, id: Int, more: Signal, position: Int64, follow: Bool) {
            self.output = output
            self.id = id
            self.more = more
            self.follow = follow
            progress = Mutex(Progress(position: position))
        }

        deinit { output.state.withLock { _ = $0.readers.removeValue(forKey: id) } }

        /// Bytes passed on at once.
        private static let batchSize = 64 << 10

        /// The next lines; nil when there are no more, or the task is cancelled. The first come at once, if need be none, to
        /// say where the reading begins. For one task at a time.
        package func next() async -> LogLines? {
            var wakeUps = more.wakeUps.makeAsyncIterator()
            repeat {
                let (batch, isOver) = take()
                if let batch { return batch }
                if isOver { return nil }
            } while await wakeUps.next() != nil
            return nil
        }

        private func take() -> (batch: LogLines?, isOver: Bool) {
            progress.withLock { progress in
                let (lines, position, isOver) = output.state.withLock { state in
                    let (lines, position) = state.kept.next(after: progress.position, limit: Self.batchSize)
                    return (lines, position, state.hasEnded || !follow)
                }
                if lines.isEmpty, progress.hasBegun { return (nil, isOver) }
                progress = Progress(position: position, hasBegun: true)
                return (LogLines(lines: lines, position: LogPosition(epoch: output.epoch, line: position)), false)
            }
        }
    }
}
