/// Measures time on some clock, without naming the clock's type.
public struct Stopwatch: Sendable {
    private let measure: @Sendable () -> Duration

    /// A stopwatch that shows what `measure` returns.
    public init(_ measure: @escaping @Sendable () -> Duration) { self.measure = measure }

    /// Time since the start.
    public func elapsed() -> Duration { measure() }
}

extension Clock where Duration == Swift.Duration {
    /// A stopwatch that starts now.
    public func stopwatch() -> Stopwatch {
        let start = now
        return Stopwatch { start.duration(to: self.now) }
    }
}
