internal import Foundation

extension Environment {
    /// The real clock, the system's random numbers.
    package static func system(log: Log) -> Environment {
        Environment(
            clock: ContinuousClock(), wallClock: { Int64(Date.now.timeIntervalSince1970 * 1000) },
            chance: Chance(SystemRandomNumberGenerator()), log: log)
    }
}
