/// The clock of one simulated process: virtual time since the beginning of the run.
struct VirtualTime: Clock {
    /// All durations are multiples of this, so that things coincide: in continuous time they never would.
    static let grain: Duration = .microseconds(250)

    struct Instant: InstantProtocol {
        var offset: Duration

        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    let process: SimulatedProcess

    var now: Instant { Instant(offset: process.scheduler.now) }
    var minimumResolution: Duration { Self.grain }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let scheduler = process.scheduler
        let woken: Void? = await process.wait { wake in
            scheduler.after(deadline.offset - scheduler.now) { wake(()) }
        }
        if woken == nil { throw CancellationError() }
    }

    static func rounded(_ duration: Duration) -> Duration {
        let grains = (duration.nanoseconds + grain.nanoseconds - 1) / grain.nanoseconds
        return grain * Int(grains)
    }
}
