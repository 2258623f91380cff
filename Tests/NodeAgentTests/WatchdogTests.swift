import Etcd
import Foundation
import Glibc
import Processes
import ServiceKit
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// The watchdog as a process, with processes that carry the state directory's mark as actors.
@Suite struct WatchdogTests {
    let files = TemporaryDirectory()
    let directory: StateDirectory
    let watchdog: ProcessWatchdog

    init() throws {
        directory = try StateDirectory(path: "\(files.path)/state", newID: { UUID().uuidString })
        watchdog = ProcessWatchdog(directory: directory, executable: Self.atelet)
    }

    static var atelet: String {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("atelet").path
    }

    /// A process that leaves children of its own behind, one of them outside of its group: each is to be found, not only the
    /// one that was started.
    private func actor(_ activation: ActivationID = ActivationID(pod: "node-0", epoch: Epoch(1))) async throws
        -> ChildProcess
    {
        let process = try await ChildProcess.start(
            Command(
                "/bin/sh", ["-c", "sleep 60 & sleep 60 & setsid sleep 60 & wait"],
                environment: [
                    "PATH": "/usr/bin:/bin", ProcessRuntime.marker: directory.id,
                    ActivationDirectory.variable: directory.activation(pod: activation.pod, epoch: activation.epoch)
                        .durable,
                ]))
        return process
    }

    private func kill(_ actors: ChildProcess...) async {
        while ProcessTable.signal(SIGKILL, directory.mark) > 0 {}
        for actor in actors { await actor.killAndWait() }
    }

    private func marker(_ epoch: Int64) -> String { directory.activation(pod: "node-0", epoch: Epoch(epoch)).marker }

    private func states(_ epoch: Int64 = 1) -> [Character] { processStates(marker(epoch)).map(\.state) }

    /// Whether not one process of the actor moves.
    private func isFrozen(_ epoch: Int64 = 1) -> Bool {
        let states = states(epoch)
        return !states.isEmpty && states.allSatisfy { $0 == "T" }
    }

    private func moves(_ epoch: Int64 = 1) -> Bool {
        let states = states(epoch)
        return !states.isEmpty && !states.contains("T")
    }

    private func hold(_ duration: Duration) -> LeaseHold {
        LeaseHold(duration: duration, sinceSent: ContinuousClock().stopwatch())
    }

    private func end() async throws { try await Self.end(watchdog) }

    static func end(_ watchdog: ProcessWatchdog) async throws {
        let pid = try #require(watchdog.pid)
        Glibc.kill(pid, SIGKILL)
        _ = await watchdog.waitForFailure()
    }

    @Test func actorsAreFrozenWhenTheirTimeIsOverThoughTheAgentDoesNothing() async throws {
        try await watchdog.start()
        let hold = hold(.seconds(2))
        #expect(await watchdog.begin(hold))
        let actor = try await actor()
        try await eventually("every process of it is frozen") { isFrozen() }
        #expect(hold.left <= .zero)
        await kill(actor)
        try await end()
    }

    @Test func whatStartsAfterTheDeadlineIsFrozenToo() async throws {
        try await watchdog.start()
        let actor = try await actor()
        try await eventually("it is frozen: no lease has been had yet") { isFrozen() }
        await kill(actor)
        try await end()
    }

    @Test func aRenewalThatComesTooLateIsNotReliedOn() async throws {
        try await watchdog.start()
        #expect(await watchdog.begin(hold(.seconds(60))))
        #expect(watchdog.extend(hold(.zero)))
        #expect(!watchdog.extend(hold(.seconds(60))))
        let actor = try await actor()
        try await eventually("what there is is frozen all the same") { isFrozen() }
        await kill(actor)
        try await end()
    }

    @Test func whatTheAgentNamesGoesOnAndNothingElseDoes() async throws {
        try await watchdog.start()
        #expect(await watchdog.begin(hold(.seconds(60))))
        let ids = (1...2).map { ActivationID(pod: "node-0", epoch: Epoch($0)) }
        let first = try await actor(ids[0])
        let second = try await actor(ids[1])
        // The shell, two children in its group, and one outside of it.
        try await eventually("both are complete") { states(1).count == 4 && states(2).count == 4 }
        await watchdog.freeze()
        try await eventually("both are frozen") { isFrozen(1) && isFrozen(2) }
        #expect(await watchdog.thaw([ids[0]], hold(.seconds(60))))
        // Done when that has returned, and not undone by the deadline from before.
        #expect(moves(1) && states(1).count == 4 && isFrozen(2))
        #expect(await watchdog.resume(ids[1]))
        #expect(moves(2))
        await kill(first, second)
        try await end()
    }

    /// A suspend that is given up while its sandbox has to go on.
    @Test func aCallerThatIsCancelledCostsNobodyTheWatchdog() async throws {
        try await watchdog.start()
        #expect(await watchdog.begin(hold(.seconds(60))))
        let id = ActivationID(pod: "node-0", epoch: Epoch(1))
        let process = try await actor(id)
        await watchdog.freeze()
        let task = Task { await watchdog.thaw([id], hold(.seconds(60))) }
        task.cancel()
        _ = await task.value
        #expect(await watchdog.thaw([id], hold(.seconds(60))) && moves())
        await kill(process)
        try await end()
    }

    @Test func aThawWhoseTimeHasPassedIsRefused() async throws {
        try await watchdog.start()
        let id = ActivationID(pod: "node-0", epoch: Epoch(1))
        let actor = try await actor(id)
        try await eventually("it is frozen") { isFrozen() }
        // As of an agent that was stopped between the renewal and this.
        #expect(await !watchdog.thaw([id], hold(.zero)))
        #expect(await !watchdog.resume(id))
        #expect(isFrozen())
        #expect(await watchdog.thaw([id], hold(.seconds(60))))
        #expect(moves())
        await kill(actor)
        try await end()
    }

    @Test func afterAThawTheNextDeadlineFreezesAgain() async throws {
        try await watchdog.start()
        let id = ActivationID(pod: "node-0", epoch: Epoch(1))
        let actor = try await actor(id)
        for _ in 0..<3 {
            try await eventually("it is frozen") { isFrozen() }
            #expect(await watchdog.thaw([id], hold(.seconds(1))))
        }
        await kill(actor)
        try await end()
    }

    @Test func theAgentFreezesTheActorsOfAWatchdogThatStandsStillAndEndsIt() async throws {
        let watchdog = ProcessWatchdog(
            directory: directory, executable: Self.atelet, answerLimit: .milliseconds(200))
        try await watchdog.start()
        #expect(await watchdog.begin(hold(.seconds(60))))
        let id = ActivationID(pod: "node-0", epoch: Epoch(1))
        let actor = try await actor(id)
        Glibc.kill(try #require(watchdog.pid), SIGSTOP)
        await watchdog.freeze()
        try await eventually("it is frozen") { isFrozen() }
        #expect(await !watchdog.thaw([id], hold(.seconds(60))))
        #expect(await watchdog.waitForFailure() == "the watchdog was killed by signal 9")
        #expect(isFrozen())
        await kill(actor)
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
        let none = ProcessWatchdog(directory: directory, executable: "/bin/true")
        await #expect(throws: WatchdogError.self) { try await none.start() }
        #expect(await !none.begin(hold(.seconds(60))))
    }
}
