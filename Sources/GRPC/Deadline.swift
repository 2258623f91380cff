internal import CGRPC

extension Duration {
    /// The point in the core's time that lies this far ahead; the core counts in milliseconds, rounded up here.
    var fromNow: gpr_timespec {
        let milliseconds = self.milliseconds
        return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(milliseconds, GPR_TIMESPAN))
    }

    private var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, tooLarge) = scaled.addingReportingOverflow(
            (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
        return tooLarge ? .max : sum
    }
}

extension gpr_timespec {
    /// How far ahead this lies, or nil for a deadline that never comes.
    var timeLeft: Duration? {
        if tv_sec == gpr_inf_future(clock_type).tv_sec { return nil }
        let left = gpr_time_sub(gpr_convert_clock_type(self, GPR_CLOCK_MONOTONIC), gpr_now(GPR_CLOCK_MONOTONIC))
        return .seconds(left.tv_sec) + .nanoseconds(Int64(left.tv_nsec))
    }
}
