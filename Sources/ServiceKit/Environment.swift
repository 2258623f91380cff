internal import Synchronization

/// What the layers above get from outside, so that a test or a simulation can give it something else.
package struct Environment: Sendable {
    /// For waiting and for measuring.
    package var clock: any Clock<Duration>
    /// Unix time in milliseconds, for what is shown to people.
    package var wallClock: @Sendable () -> Int64
    /// For ids, choices and jitter.
    package var chance: Chance
    package var log: Log

    package init(clock: any Clock<Duration>, wallClock: @escaping @Sendable () -> Int64, chance: Chance, log: Log) {
        self.clock = clock
        self.wallClock = wallClock
        self.chance = chance
        self.log = log
    }
}

/// Random numbers that may be drawn from any task.
package struct Chance: Sendable {
    private final class Source: Sendable {
        let generator: Mutex<any RandomNumberGenerator & Sendable>

        init(_ generator: any RandomNumberGenerator & Sendable) { self.generator = Mutex(generator) }
    }

    private let source: Source

    package init(_ generator: some RandomNumberGenerator & Sendable) { source = Source(generator) }

    /// A number in the range.
    package func number(in range: Range<Int>) -> Int {
        source.generator.withLock { generator in
            var local = generator
            defer { generator = local }
            return Int.random(in: range, using: &local)
        }
    }

    /// 128 random bits in hexadecimal: unique for all practical purposes.
    package func id() -> String {
        let (high, low) = source.generator.withLock { ($0.next(), $0.next()) }
        return hexadecimal(high) + hexadecimal(low)
    }

    /// 122 random bits as a UUID.
    package func uuid() -> String {
        var digits = Array(id())
        // The version that says that it is random, and the variant that there is only one of.
        digits[12] = "4"
        digits[16] = "8"
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }

    /// The duration, or up to half of it less.
    package func jittered(_ duration: Duration) -> Duration {
        duration * (1000 - number(in: 0..<500)) / 1000
    }

    private func hexadecimal(_ bits: UInt64) -> String {
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Pauses that double up to a limit.
package struct Backoff: Sendable {
    private let initial: Duration
    private let maximum: Duration
    private var next: Duration

    package init(from initial: Duration, to maximum: Duration) {
        self.initial = initial
        self.maximum = maximum
        next = initial
    }

    /// The next pause.
    package mutating func pause() -> Duration {
        defer { next = min(next * 2, maximum) }
        return next
    }

    /// Starts over, after a success.
    package mutating func reset() { next = initial }
}
