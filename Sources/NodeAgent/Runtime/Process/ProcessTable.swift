internal import CSpawn
internal import Glibc

/// What the kernel tells about processes. All of it blocks a little.
enum ProcessTable {
    /// Sends a signal to every process that has the mark, and returns to how many that were neither stopped (for `SIGSTOP`)
    /// nor dead.
    /// - Parameters:
    ///   - candidates: ids of the processes to look at; nil for all of the machine.
    ///   - others: marks of which a process has to have one, too; nil when that does not matter.
    ///   - mayGoOn: asked right before each signal; when it says no, the rest gets none.
    static func signal(
        _ number: Int32, _ mark: ProcessMark, among candidates: [Int32]? = nil, andOneOf others: [ProcessMark]? = nil,
        while mayGoOn: () -> Bool = { true }
    ) -> Int {
        var count = 0
        for pid in candidates ?? KernelFile.processes() {
            // Taken before anything is read, so that no process that got the id later is hit.
            let descriptor = cspawn_descriptor(pid)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            guard has(pid, mark, andOneOf: others), isWanted(pid, number) else { continue }
            guard mayGoOn() else { return count }
            if cspawn_signal(descriptor, number) == 0 { count += 1 }
        }
        return count
    }

    private static func has(_ pid: Int32, _ mark: ProcessMark, andOneOf others: [ProcessMark]?) -> Bool {
        guard let environment = KernelFile.contents("/proc/\(pid)/environ")?.split(separator: 0) else { return false }
        func has(_ mark: ProcessMark) -> Bool { environment.contains { $0.elementsEqual(mark.entry.utf8) } }
        if has(mark), others.map({ $0.contains(where: has) }) ?? true { return true }
        guard let groups = KernelFile.contents("/proc/\(pid)/cgroup"), mark.isIn(groups) else { return false }
        return others.map { others in others.contains { $0.isIn(groups) || has($0) } } ?? true
    }

    /// Whether the signal has something to do there.
    private static func isWanted(_ pid: Int32, _ number: Int32) -> Bool {
        switch number {
        case SIGSTOP: threadStates(of: pid).contains { !"TtZX".contains($0) }
        // One that stands still for its tracer goes on when that does; a signal of ours would only be in its way.
        case SIGCONT: threadStates(of: pid).contains { !"tZX".contains($0) }
        default: threadStates(of: pid).contains { !"ZX".contains($0) }
        }
    }

    /// Whether all threads of a process were stopped.
    static func isStopped(_ pid: Int32) -> Bool {
        let states = threadStates(of: pid)
        return !states.isEmpty && states.allSatisfy { $0 == "T" }
    }

    /// Letters as `/proc` has them. Of a process that is traced some threads may run while others do not.
    private static func threadStates(of pid: Int32) -> [Character] {
        let directory = "/proc/\(pid)/task"
        return KernelFile.numbers(in: directory).compactMap { thread in
            guard
                let text = KernelFile.contents("\(directory)/\(thread)/stat").map({
                    String(decoding: $0, as: UTF8.self)
                }),
                let end = text.lastIndex(of: ")")
            else { return nil }
            let state = text[text.index(after: end)...].first { $0 != " " }
            return state == "D" && isStartingProcess("\(directory)/\(thread)") ? "T" : state
        }
    }

    /// Whether a thread waits for its child to become another program. While that stands still it cannot be interrupted, and
    /// when it goes on the signal to stop is there first: it stands still already.
    private static func isStartingProcess(_ directory: String) -> Bool {
        let call = KernelFile.contents("\(directory)/syscall").map { String(decoding: $0, as: UTF8.self) } ?? ""
        return call.split(separator: " ").first.map { startingCalls.contains(String($0)) } ?? false
    }

    /// The numbers of clone, vfork and clone3.
    #if arch(x86_64)
        private static let startingCalls: Set<String> = ["56", "58", "435"]
    #else
        private static let startingCalls: Set<String> = ["220", "435"]
    #endif
}
