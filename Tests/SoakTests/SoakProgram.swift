import Foundation
import Glibc
import LocalCluster
import Processes
import Synchronization

/// One program of the system, which is killed, stopped and started again.
final class SoakProgram: Sendable {
    let name: String
    private let launch: @Sendable () async throws -> LocalProcess
    private let current = Mutex<LocalProcess?>(nil)

    init(_ name: String, launch: @escaping @Sendable () async throws -> LocalProcess) {
        self.name = name
        self.launch = launch
    }

    /// Starts it, if it does not run.
    func start() async throws {
        if isRunning { return }
        let process = try await launch()
        current.withLock { $0 = process }
    }

    var isRunning: Bool { current.withLock { $0.map { $0.process.exitStatus == nil } ?? false } }

    /// SIGKILL.
    func kill() async { await process?.killAndWait() }

    /// SIGTERM, and SIGKILL when it takes too long.
    func stop() async {
        process?.signal(SIGCONT)
        await process?.stop(grace: .seconds(10))
    }

    /// SIGSTOP.
    func freeze() { process?.signal(SIGSTOP) }

    /// SIGCONT.
    func thaw() { process?.signal(SIGCONT) }

    /// A signal to one of its children.
    /// - Parameter isWatchdog: the agent's watchdog, or else an actor.
    /// - Returns: whether there was one.
    func signalChild(_ number: Int32, isWatchdog: Bool) -> Bool {
        guard let parent = process?.pid else { return false }
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(parent)/task")) ?? []
        for task in tasks {
            let text = FileManager.default.contents(atPath: "/proc/\(parent)/task/\(task)/children") ?? Data()
            for child in String(decoding: text, as: UTF8.self).split(separator: " ").compactMap({ Int32($0) }) {
                let line = FileManager.default.contents(atPath: "/proc/\(child)/cmdline") ?? Data()
                let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
                let isAgent = words.dropFirst().first == "watchdog"
                if isAgent == isWatchdog, isAgent || words.first?.hasSuffix("witness") == true {
                    return Glibc.kill(child, number) == 0
                }
            }
        }
        return false
    }

    /// The end of its log.
    var lastLines: String { current.withLock { $0 }?.lastLines ?? "" }

    private var process: ChildProcess? { current.withLock { $0 }?.process }
}
