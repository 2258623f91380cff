internal import Glibc

/// What agent and watchdog tell each other, in a file of the state directory: it can be read whatever state the other is in.
struct WatchdogFile: Sendable {
    private let descriptor: Int32

    /// - Returns: nil when it cannot be opened; `errno` says why.
    init?(directory: String) {
        descriptor = open("\(directory)/watchdog", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if descriptor < 0 { return nil }
    }

    func closeFile() { close(descriptor) }

    /// Until when actors may run, in nanoseconds of the boot-time clock. Zero when it cannot be read: not at all.
    var deadline: Int64 { read(at: 0) }

    /// The watchdog that will compare the deadline with the clock before it freezes anything; zero while there is none, and
    /// while it is at that. By its pid, so that an earlier one that has not ended yet is not taken for a new one.
    var guardian: Int64 { read(at: 8) }

    func set(deadline: Int64) -> Bool { write(deadline, at: 0) }
    func set(guardian: Int32) -> Bool { write(Int64(guardian), at: 8) }

    /// Held by a watchdog for life: one at a time guards a directory.
    func tryLock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

    private func read(at offset: off_t) -> Int64 {
        var value: Int64 = 0
        return pread(descriptor, &value, 8, offset) == 8 ? value : 0
    }

    private func write(_ value: Int64, at offset: off_t) -> Bool {
        var value = value
        return pwrite(descriptor, &value, 8, offset) == 8
    }
}

/// The clock that goes on while the machine sleeps, as etcd's does.
enum BootClock {
    static var nanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
