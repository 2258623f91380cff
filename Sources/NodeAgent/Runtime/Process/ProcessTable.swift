internal import CSpawn
internal import Glibc

/// What the kernel tells about processes. All of it blocks a little.
enum ProcessTable {
    /// Sends a signal to every process whose environment has the entry, and returns to how many that were neither stopped
    /// (for `SIGSTOP`) nor dead.
    /// - Parameters:
    ///   - others: entries of which the environment has to have one, too; nil when that does not matter.
    ///   - mayGoOn: asked right before each signal; when it says no, the rest gets none.
    static func signal(
        _ number: Int32, processesWithEnvironmentEntry entry: String, andOneOf others: Set<[UInt8]>? = nil,
        while mayGoOn: () -> Bool = { true }
    ) -> Int {
        let wanted = Array(entry.utf8)
        var count = 0
        for pid in KernelFile.processes() {
            // Taken before the environment is read, so that no process that got the id later is hit.
            let descriptor = cspawn_descriptor(pid)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            guard let environment = KernelFile.contents("/proc/\(pid)/environ")?.split(separator: 0),
                environment.contains(where: { $0.elementsEqual(wanted) }),
                others.map({ others in environment.contains { others.contains(Array($0)) } }) ?? true,
                let state = state(of: pid), !["Z", "X"].contains(state),
                number != SIGSTOP || !["T", "t"].contains(state)
            else { continue }
            guard mayGoOn() else { return count }
            if cspawn_signal(descriptor, number) == 0 { count += 1 }
        }
        return count
    }

    private static func state(of pid: Int32) -> Substring? {
        guard let text = KernelFile.contents("/proc/\(pid)/stat").map({ String(decoding: $0, as: UTF8.self) }),
            let end = text.lastIndex(of: ")")
        else { return nil }
        return text[text.index(after: end)...].split(separator: " ").first
    }
}
