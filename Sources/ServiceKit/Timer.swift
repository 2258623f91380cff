extension Clock where Duration == Swift.Duration {
    /// Measures the time from now on, without naming the clock's type.
    package func timer() -> @Sendable () -> Duration {
        let start = now
        return { start.duration(to: self.now) }
    }
}
