internal import CSpawn
internal import Glibc

/// What the kernel tells about processes. All of it blocks a little.
enum ProcessTable {
    /// Stops everything that has the mark of a state directory, and returns how much of it may still move.
    static func stop(_ mark: ProcessMark) -> Int { ActorFreezer.stopAll(mark) + signal(SIGSTOP, mark) }

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
        // What stands still there cannot die.
        var killed: Set<String> = []
        defer { killed.forEach(ActorFreezer.letGoOn) }
        // The newest first: a look at a process that hangs can hang itself, and that is mostly one of long ago.
        for pid in candidates ?? KernelFile.processes().sorted(by: >) {
            // Taken before anything is read, so that no process that got the id later is hit.
            let descriptor = cspawn_descriptor(pid)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            let evidence = ProcessEvidence(
                groups: KernelFile.contents("/proc/\(pid)/cgroup"),
                environment: { KernelFile.contents("/proc/\(pid)/environ") })
            guard evidence.has(mark, andOneOf: others), case let effect = effect(of: number, on: pid), effect != .none
            else { continue }
            let group = evidence.groups.flatMap(ActorFreezer.path)
            // `ActorFreezer` stops these and has them go on, but for one that was stopped on its way into its cgroup.
            if group != nil, number == SIGSTOP || number == SIGCONT && !isStopped(pid) { continue }
            guard mayGoOn() else { return count }
            if number == SIGKILL, let group { killed.insert(group) }
            if cspawn_signal(descriptor, number) == 0, effect == .changes { count += 1 }
        }
        return count
    }

    /// What a signal does to a process.
    enum Effect {
        case none
        /// It has to be there, but nothing waits for what it does.
        case waits
        case changes
    }

    private static func effect(of number: Int32, on pid: Int32) -> Effect {
        let threads = threads(of: pid)
        return switch number {
        case SIGSTOP: stopEffect(threads.map { (state(of: $0), isStartingProcess($0)) })
        // One that stands still for its tracer goes on when that does; a signal of ours would only be in its way.
        case SIGCONT: threads.contains { !"tZX".contains(state(of: $0)) } ? .changes : .none
        default: threads.contains { !"ZX".contains(state(of: $0)) } ? .changes : .none
        }
    }

    /// By the states of its threads as `/proc` has them, and whether each waits for its child to become another program. While
    /// that stands still the thread cannot be interrupted; when it goes on, the signal has to be there first, so it is
    /// sent. Of a process that is traced some threads may run while others do not.
    static func stopEffect(_ threads: [(state: Character, isStartingProcess: Bool)]) -> Effect {
        let moving = threads.filter { !"TtZX".contains($0.state) }
        if moving.isEmpty { return .none }
        return moving.allSatisfy { $0.state == "D" && $0.isStartingProcess } ? .waits : .changes
    }

    /// Whether all threads of a process were stopped.
    static func isStopped(_ pid: Int32) -> Bool {
        let states = threads(of: pid).map(state)
        return !states.isEmpty && states.allSatisfy { $0 == "T" }
    }

    /// Returns when a process has come to wait for something outside of itself, has ended, or a second is over: it has been seen
    /// asleep with all of its threads a few times in a row.
    static func waitUntilIdle(_ pid: Int32) {
        let deadline = ContinuousClock.now + .seconds(1)
        var looks = 0
        while looks < 5, ContinuousClock.now < deadline {
            usleep(2_000)
            looks = threads(of: pid).allSatisfy { state(of: $0) == "S" } ? looks + 1 : 0
        }
    }

    /// Directories of its threads.
    private static func threads(of pid: Int32) -> [String] {
        let directory = "/proc/\(pid)/task"
        return KernelFile.numbers(in: directory).map { "\(directory)/\($0)" }
    }

    /// A letter as `/proc` has it; that of the dead for one that is gone.
    private static func state(of thread: String) -> Character {
        guard let text = KernelFile.contents("\(thread)/stat").map({ String(decoding: $0, as: UTF8.self) }),
            let end = text.lastIndex(of: ")")
        else { return "X" }
        return text[text.index(after: end)...].first { $0 != " " } ?? "X"
    }

    private static func isStartingProcess(_ thread: String) -> Bool {
        let call = KernelFile.contents("\(thread)/syscall").map { String(decoding: $0, as: UTF8.self) } ?? ""
        return call.split(separator: " ").first.map { startingCalls.contains(String($0)) } ?? false
    }

    /// The numbers of clone, vfork and clone3.
    #if arch(x86_64)
        private static let startingCalls: Set<String> = ["56", "58", "435"]
    #else
        private static let startingCalls: Set<String> = ["220", "435"]
    #endif
}
