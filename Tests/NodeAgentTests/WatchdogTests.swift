import Etcd
import Foundation
import Glibc
import Processes
import ServiceKit
import TestKit
import Testing

@testable import NodeAgent

/// The watchdog as a process, with processes that carry the state directory's mark as actors.
@Suite struct WatchdogTests {
    let files = TemporaryDirectory()
    let directory: StateDirectory
    let watchdog: Watchdog

    init() throws {
        directory = try StateDirectory(path: "\(files.path)/state", newID: { UUID().uuidString })
        watchdog = Watchdog(directory: directory, executable: Self.atelet)
    }

    private static var atelet: String {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("atelet").path
    }

    /// A process that leaves a child of its own behind: each is to be found, not only the one that was started.
    private func actor() async throws -> ChildProcess {
        try await ChildProcess.start(
            Command(
                "/bin/sh", ["-c", "sleep 60 & sleep 60"],
                environment: ["PATH": "/usr/bin:/bin", ProcessRuntime.marker: directory.id]))
    }

    private func isFrozen(_ process: ChildProcess) -> Bool {
        ProcessTable.runningMembers(ofGroups: [process.pid]).isEmpty && process.exitStatus == nil
    }

    private func after(_ duration: Duration) -> Int64 {
        Watchdog.deadline(duration, ContinuousClock().stopwatch())
    }

    private func end() async throws {
        let pid = try #require(watchdog.pid)
        kill(pid, SIGKILL)
        _ = await watchdog.waitForFailure()
    }

    @Test func actorsAreFrozenWhenTheirTimeIsOverThoughTheAgentDoesNothing() async throws {
        try await watchdog.start()
        let deadline = after(.seconds(2))
        #expect(await watchdog.begin(deadline))
        let actor = try await actor()
        try await eventually("every process of it is frozen") { isFrozen(actor) }
        #expect(BootClock.nanoseconds >= deadline)
        await actor.killAndWait()
        try await end()
    }

    @Test func whatStartsAfterTheDeadlineIsFrozenToo() async throws {
        try await watchdog.start()
        let actor = try await actor()
        try await eventually("it is frozen: no lease has been had yet") { isFrozen(actor) }
        await actor.killAndWait()
        try await end()
    }

    @Test func aRenewalThatComesTooLateIsNotReliedOn() async throws {
        try await watchdog.start()
        #expect(await watchdog.begin(after(.seconds(60))))
        #expect(watchdog.extend(until: after(.zero)))
        #expect(!watchdog.extend(until: after(.seconds(60))))
        #expect(await watchdog.waitForFailure() == "the watchdog was killed by signal 9")
    }

    @Test func aDeadWatchdogIsNoticedAndReplaced() async throws {
        try await watchdog.start()
        let first = try #require(watchdog.pid)
        try await end()
        try await watchdog.start()
        #expect(watchdog.pid != first)
        try await end()
    }

    @Test func withoutAWatchdogNothingCanBeStarted() async throws {
        let none = Watchdog(directory: directory, executable: "/bin/true")
        await #expect(throws: WatchdogError.self) { try await none.start() }
        #expect(await !none.begin(after(.seconds(60))))
    }
}
