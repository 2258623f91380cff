/// Cuts a stream of bytes into lines, with a bound on what it keeps and on what it passes on.
struct LineSplitter {
    /// Longest line passed on in one piece, in bytes.
    static let maximumLength = 16 << 10

    private let stream: OutputEvent.Stream
    private let handler: (OutputEvent) -> Void
    private var pending: [UInt8] = []
    private var limit = OutputLimit()

    init(_ stream: OutputEvent.Stream = .standardOutput, _ handler: @escaping (OutputEvent) -> Void) {
        self.stream = stream
        self.handler = handler
    }

    /// Takes in what was read at `now`.
    mutating func add(_ bytes: UnsafeRawBufferPointer, at now: ContinuousClock.Instant) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                flush(now)
            } else {
                pending.append(byte)
                if pending.count == Self.maximumLength { flush(now) }
            }
        }
    }

    /// Passes on a last line without an end.
    mutating func end(at now: ContinuousClock.Instant) {
        if !pending.isEmpty { flush(now) }
        noteDropped()
    }

    private mutating func flush(_ now: ContinuousClock.Instant) {
        if limit.admits(pending.count, at: now) {
            noteDropped()
            handler(.line(pending, stream))
        }
        pending.removeAll(keepingCapacity: true)
    }

    private mutating func noteDropped() {
        let dropped = limit.takeDropped()
        if dropped > 0 { handler(.leftOut(lines: dropped, stream)) }
    }
}
