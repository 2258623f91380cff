internal import Glibc
internal import SubstrateModel

/// What agent and watchdog tell each other, in files of the state directory: they can be read whatever state the other is in.
///
/// ```
/// <path>/watchdog          numbers, and which activations are to go on
/// <path>/watchdog-wake     a pipe; a byte in it wakes the watchdog
/// ```
/// All of it has its place on the disk from the beginning, so that an actor whose snapshot has filled the disk can go on.
struct WatchdogFile: Sendable {
    private let descriptor: Int32
    /// Readable when the watchdog is to look at its file.
    let wakeUp: Int32
    /// Where the text of a request begins, and how long it can be: for a thousand workers with the longest of names.
    private static let textOffset: off_t = 4096
    private static let maximumText = 512 << 10

    /// - Returns: nil when it cannot be opened; `errno` says why.
    init?(directory: String) {
        let descriptor = open("\(directory)/watchdog", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        let pipe = "\(directory)/watchdog-wake"
        let reserved = posix_fallocate(descriptor, 0, Self.textOffset + off_t(Self.maximumText))
        guard reserved == 0 else {
            close(descriptor)
            errno = reserved
            return nil
        }
        // One that exists is as good.
        _ = mkfifo(pipe, 0o600)
        // Whoever has it open for both waits for nobody, and never sees the end of it.
        let wakeUp = open(pipe, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard wakeUp >= 0 else {
            let reason = errno
            close(descriptor)
            errno = reason
            return nil
        }
        self.descriptor = descriptor
        self.wakeUp = wakeUp
    }

    func closeFile() {
        close(descriptor)
        close(wakeUp)
    }

    /// Until when actors may run, in nanoseconds of the boot-time clock. Zero when it cannot be read: not at all.
    var deadline: Int64 { read(at: 0) }

    /// The watchdog that will compare the deadline with the clock before it freezes anything; zero while there is none, and
    /// while it is at that. By its pid, so that an earlier one that has not ended yet is not taken for a new one.
    var guardian: Int64 { read(at: 8) }

    /// The number of the agent's last request to let activations go on. They count up for as long as the watchdog lives.
    var request: Int64 { read(at: 16) }

    /// The number of the last request that the watchdog has followed; negative when it has refused it because the deadline
    /// had passed.
    var answer: Int64 { read(at: 24) }

    func set(deadline: Int64) -> Bool { write(deadline, at: 0) }
    func set(guardian: Int32) -> Bool { write(Int64(guardian), at: 8) }
    func set(request: Int64) -> Bool { write(request, at: 16) }
    func set(answer: Int64) -> Bool { write(answer, at: 24) }

    /// Writes which activations a request is about, before its number. The last one has to have been answered.
    func write(_ activations: [ActivationID]) -> Bool {
        let text = Array(activations.map { "\($0.pod)/\($0.epoch)" }.joined(separator: "\n").utf8)
        guard text.count <= Self.maximumText, pwrite(descriptor, text, text.count, Self.textOffset) == text.count
        else { return false }
        return write(Int64(text.count), at: 32)
    }

    /// What the last request is about; nil when that cannot be read.
    var activations: [ActivationID]? {
        let count = Int(read(at: 32))
        var text = [UInt8](repeating: 0, count: min(max(count, 0), Self.maximumText))
        guard pread(descriptor, &text, text.count, Self.textOffset) == count else { return nil }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "/")
            guard parts.count == 2, let revision = Int64(parts[1]) else { return nil }
            return ActivationID(pod: String(parts[0]), epoch: Epoch(revision))
        }
    }

    /// Has the watchdog look at once.
    func wake() {
        var byte: UInt8 = 1
        // A full pipe wakes it just as well.
        _ = Glibc.write(wakeUp, &byte, 1)
    }

    /// Called by the watchdog before it looks.
    func clearWakeUps() {
        var bytes = [UInt8](repeating: 0, count: 256)
        while Glibc.read(wakeUp, &bytes, bytes.count) > 0 {}
    }

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
