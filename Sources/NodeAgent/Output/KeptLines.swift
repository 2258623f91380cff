internal import SubstrateAPI

/// The last lines of an output, as many as fit; the oldest go first, whole.
struct KeptLines {
    /// A second of the most that an actor of one container may say (`OutputLimit` of each of its two streams), so a reader that
    /// is held up for that long misses nothing. With it 1000 workers take half a gigabyte, if all their actors have said as
    /// much.
    static let maximumBytes = 512 << 10
    /// What a line takes beside its text; so empty lines count, too.
    static let bytesPerLine = 96

    private var lines: [LogLine] = []
    /// Where the lines begin; what is before it in the array has been given up.
    private var head = 0
    private var bytes = 0
    /// How many lines there have been, with those that are not kept any more.
    private(set) var count: Int64 = 0

    private var keptCount: Int { lines.count - head }
    /// The number of the oldest line that is kept.
    private var first: Int64 { count - Int64(keptCount) }

    mutating func append(_ line: LogLine) {
        lines.append(line)
        bytes += Self.cost(line)
        count += 1
        while bytes > Self.maximumBytes, keptCount > 1 {
            bytes -= Self.cost(lines[head])
            lines[head].text = []
            head += 1
        }
        // Moving the rest to the front costs less than a step for each line that was given up since the last time.
        if head > keptCount {
            lines.removeFirst(head)
            head = 0
        }
    }

    /// Where to begin for the last lines only; nil for all.
    func position(tail: Int?) -> Int64 {
        guard let tail else { return 0 }
        return max(0, count - Int64(clamping: tail))
    }

    /// The next lines behind a position, and the position behind them.
    /// - Parameters:
    ///   - position: how many lines are over. Where lines are missing in between, a notice says so.
    ///   - limit: of bytes, unless one line alone has more.
    func next(after position: Int64, limit: Int) -> (lines: [LogLine], position: Int64) {
        let missing = first - position
        var next: [LogLine] = []
        var size = 0
        var index = head + Int(min(max(0, -missing), Int64(keptCount)))
        if missing > 0, index < lines.count { next.append(Self.notice(missing: missing, before: lines[index])) }
        while index < lines.count {
            size += Self.cost(lines[index])
            if size > limit, !next.isEmpty { break }
            next.append(lines[index])
            index += 1
        }
        return (next, first + Int64(index - head))
    }

    private static func cost(_ line: LogLine) -> Int { line.text.count + bytesPerLine }

    private static func notice(missing: Int64, before line: LogLine) -> LogLine {
        let text =
            "[\(missing) lines of output are missing here: the node keeps the last \(maximumBytes >> 10) KiB of an actor's output]"
        return LogLine(
            timeMilliseconds: line.timeMilliseconds, source: .notice, container: "", text: Array(text.utf8),
            workerPod: line.workerPod)
    }
}
