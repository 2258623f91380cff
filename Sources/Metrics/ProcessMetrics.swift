internal import Glibc

/// What the kernel says of this process, under the names that every client library of Prometheus has for it.
package enum ProcessMetrics {
    static let cpu = Definition.counter("process_cpu_seconds_total", "Processor time that the process has used")
    static let resident = Definition.gauge("process_resident_memory_bytes", "Memory of the process that is in RAM")
    static let virtual = Definition.gauge("process_virtual_memory_bytes", "Address space of the process")
    static let openFiles = Definition.gauge("process_open_fds", "Open file descriptors")
    static let fileLimit = Definition.gauge("process_max_fds", "Open file descriptors that the process may have")
    static let threads = Definition.gauge("process_threads", "Threads of the process")
    static let start = Definition.gauge("process_start_time_seconds", "When the process was started, in Unix time")

    package static func add(to registry: MetricRegistry) {
        registry.reading(cpu) { seconds(of: CLOCK_PROCESS_CPUTIME_ID) }
        registry.reading(resident) { memory(field: 1) }
        registry.reading(virtual) { memory(field: 0) }
        registry.reading(openFiles) { openDescriptors }
        registry.reading(fileLimit) { descriptorLimit }
        registry.reading(threads) { stat(field: 17) }
        let started = startTime
        registry.reading(start) { started }
    }

    private static var descriptorLimit: Double {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Double(limit.rlim_cur)
    }

    private static var openDescriptors: Double? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Without `.`, `..`, and the directory itself.
        return Double(count - 3)
    }

    /// In bytes: the first field is the address space, the second what of it is in RAM.
    private static func memory(field: Int) -> Double? {
        let fields = contents(of: "/proc/self/statm").split(separator: " ")
        guard field < fields.count, let pages = Double(fields[field]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// A field of `/proc/self/stat` behind the name, which may hold anything; the first of those is the state.
    private static func stat(field: Int) -> Double? {
        let text = contents(of: "/proc/self/stat")
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return field < fields.count ? Double(fields[field]) : nil
    }

    private static var startTime: Double? {
        guard let ticks = stat(field: 19) else { return nil }
        let boot = seconds(of: CLOCK_REALTIME) - seconds(of: CLOCK_BOOTTIME)
        return boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func seconds(of clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func contents(of path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        // These files are one short line.
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(file, &buffer, buffer.count)
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }
}
