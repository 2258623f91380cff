/// How much of a child's output is passed on. What is beyond it is counted instead: a child that says too much must not keep
/// us from all the others.
struct OutputLimit {
    static let bytesPerSecond = 256 << 10
    /// What is put around a line on its way; so empty lines count, too.
    static let bytesPerLine = 64

    private var left = bytesPerSecond
    private var secondEnds: ContinuousClock.Instant?
    private var dropped = 0

    /// Whether a line of that many bytes may pass now.
    mutating func admits(_ bytes: Int, at now: ContinuousClock.Instant) -> Bool {
        if secondEnds.map({ now >= $0 }) ?? true {
            secondEnds = now + .seconds(1)
            left = Self.bytesPerSecond
        }
        // Once one has been dropped, the rest of the second goes with it: what passes is without holes.
        guard left > 0 else {
            dropped += 1
            return false
        }
        left -= bytes + Self.bytesPerLine
        return true
    }

    /// How many lines were dropped since it was last asked.
    mutating func takeDropped() -> Int {
        defer { dropped = 0 }
        return dropped
    }
}
