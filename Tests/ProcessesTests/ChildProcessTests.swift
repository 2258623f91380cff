import Foundation
import LocalCluster
import Synchronization
import TestKit
import Testing

@testable import Processes

@Suite struct ChildProcessTests {
    private let path = ["PATH": "/usr/bin:/bin"]

    private func start(_ script: String, output: Command.Output = .inherit) async throws -> ChildProcess {
        try await ChildProcess.start(Command("/bin/sh", ["-c", script], environment: path, output: output))
    }

    @Test func theWayAProcessEndedIsTold() async throws {
        #expect(try await start("exit 0").wait() == .exited(code: 0))
        #expect(try await start("exit 7").wait() == .exited(code: 7))
        #expect(try await start("kill -9 $$").wait() == .killed(signal: 9))
    }

    @Test func linesComeWholeAndTheLastOneToo() async throws {
        let lines = Mutex<[String]>([])
        let process = try await start(
            "printf 'one\\ntwo\\n\\nlast'", output: .lines { line in lines.withLock { $0.append(line) } })
        await process.wait()
        try await eventually("all lines") { lines.withLock { $0 } == ["one", "two", "", "last"] }
    }

    @Test func aLineWithoutEndComesInPieces() async throws {
        let sizes = Mutex<[Int]>([])
        let process = try await start(
            "head -c 100000 /dev/zero | tr '\\0' x", output: .lines { line in sizes.withLock { $0.append(line.count) } }
        )
        await process.wait()
        try await eventually("all of it") { sizes.withLock { $0.reduce(0, +) } == 100_000 }
        #expect(sizes.withLock { $0.max() } == 16 << 10)
    }

    @Test(.timeLimit(.minutes(1))) func aChildThatSaysTooMuchDoesNotKeepUsFromTheOthers() async throws {
        let said = Tally()
        let leftOut = Flag()
        let chatty = try await start(
            "exec yes",
            output: .lines { line in
                said.add()
                if line.contains("lines of output left out") { leftOut.set() }
            })
        try await eventually("it has begun") { said.count > 0 }
        #expect(try await start("exit 3").wait() == .exited(code: 3))
        await chatty.killAndWait()
        try await eventually("what was left out is counted") { leftOut.isSet }
    }

    @Test(.timeLimit(.minutes(1))) func whoHasLeftTheGroupAndGoesOnWritingIsNotWaitedFor() async throws {
        let said = Tally()
        let process = try await start(
            "setsid yes & while :; do sleep 0.01; done", output: .lines { _ in said.add() })
        try await eventually("it has begun") { said.count > 0 }
        await process.killAndWait()
        #expect(try await start("exit 3").wait() == .exited(code: 3))
    }

    @Test func moreOutputThanIsPassedOnIsCounted() {
        let lines = Mutex<[String]>([])
        var splitter = LineSplitter { event in
            if let text = event.text { lines.withLock { $0.append(text) } }
        }
        let start = ContinuousClock.now
        func say(_ count: Int, at now: ContinuousClock.Instant) {
            for _ in 0..<count { Array("x\n".utf8).withUnsafeBytes { splitter.add($0, at: now) } }
        }
        let limit = OutputLimit.bytesPerSecond / (OutputLimit.bytesPerLine + 1) + 1
        say(limit + 5, at: start)
        #expect(lines.withLock { $0.count } == limit)
        say(1, at: start + .seconds(1))
        #expect(
            lines.withLock { $0.suffix(2) } == ["[5 lines of output left out: more than 256 KiB in a second]", "x"])
        say(limit, at: start + .seconds(1))
        splitter.end(at: start + .seconds(1))
        #expect(lines.withLock { $0.last } == "[1 lines of output left out: more than 256 KiB in a second]")
    }

    @Test func bothStreamsComeApartAsBytesAndTheEndComesLast() async throws {
        let events = Collected<OutputEvent>()
        let process = try await start(
            "printf 'a\\377\\000b\\n'; printf 'oops\\n' >&2; printf 'last'", output: .events { events.append($0) })
        await process.wait()
        // All of it has come before the end is known, so there is nothing to wait for.
        let all = events.all
        #expect(
            all.filter { if case .line(_, .standardError) = $0 { true } else { false } } == [
                .line(Array("oops".utf8), .standardError)
            ])
        #expect(
            all.filter { if case .line(_, .standardOutput) = $0 { true } else { false } } == [
                .line([0x61, 0xff, 0x00, 0x62], .standardOutput), .line(Array("last".utf8), .standardOutput),
            ])
        #expect(all.last == .ended && all.count { $0 == .ended } == 1)
    }

    @Test func aThousandChildrenLeaveNoDescriptorBehind() async throws {
        _ = try await start("exit 0", output: .events { _ in }).wait()
        let before = try ProcessCensus.now().descriptors
        for _ in 0..<50 {
            try await withThrowingTaskGroup { group in
                for number in 0..<20 {
                    group.addTask {
                        let output = Command.Output.events { _ in }
                        // Every fourth cannot be started.
                        let program = number % 4 == 0 ? "/no/such" : "/bin/true"
                        _ = try? await ChildProcess.start(Command(program, output: output)).wait()
                    }
                }
                try await group.waitForAll()
            }
        }
        try await eventually("none is left") { try ProcessCensus.now().descriptors <= before }
    }

    @Test func aProgramThatIsNotThereIsSaid() async throws {
        let error = await #expect(throws: SpawnError.self) { try await ChildProcess.start(Command("/no/such", [])) }
        #expect("\(try #require(error))" == "cannot start /no/such: No such file or directory")
        let directory = await #expect(throws: SpawnError.self) {
            try await ChildProcess.start(Command("/bin/true", [], directory: "/no/such"))
        }
        #expect(directory != nil)
    }

    @Test func stoppingAsksFirstAndKillsWhatDoesNotListen() async throws {
        let polite = try await start("trap 'exit 3' TERM; while :; do sleep 0.01; done")
        // The trap is set before the first sleep has ended.
        try await eventually("it is under way") { try hasChild(polite.pid) }
        await polite.stop(grace: .seconds(10))
        #expect(polite.exitStatus == .exited(code: 3))
        let deaf = try await start("trap '' TERM; while :; do sleep 0.01; done")
        try await eventually("it is under way") { try hasChild(deaf.pid) }
        await deaf.stop(grace: .milliseconds(50))
        #expect(deaf.exitStatus == .killed(signal: 9))
    }

    @Test func theWholeGroupDiesWithItsLeader() async throws {
        let files = TemporaryDirectory()
        let process = try await start(
            "sh -c 'echo $$ > \(files.path)/pid; exec sleep 60' & while [ ! -s \(files.path)/pid ]; do :; done")
        await process.wait()
        let text = try String(contentsOfFile: "\(files.path)/pid", encoding: .utf8)
        let pid = try #require(Int32(text.filter(\.isNumber)))
        try await eventually("the child is dead, too") { kill(pid, 0) != 0 }
    }

    @Test func aWaitCanBeCancelled() async throws {
        let process = try await start("exec sleep 60")
        let waiting = Task { await process.wait() }
        waiting.cancel()
        #expect(await waiting.value == nil)
        await process.killAndWait()
        #expect(process.exitStatus == .killed(signal: 9))
    }

    @Test func aChildGetsNoDescriptorsOfOurs() async throws {
        let pipe = Pipe()
        let lines = Mutex<[String]>([])
        let process = try await start("ls /proc/self/fd", output: .lines { line in lines.withLock { $0.append(line) } })
        await process.wait()
        // 0, 1, 2, and the one with which ls reads the directory.
        try await eventually("four of them") { lines.withLock { $0.count } == 4 }
        withExtendedLifetime(pipe) {}
    }

    /// A program that starts a child and is killed takes it along, by the kernel's hand.
    @Test func childrenDieWithTheProgramThatStartedThem() async throws {
        let files = TemporaryDirectory()
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("atenet").path
        // atenet starts nginx; which API it asks does not matter here.
        let process = try await ChildProcess.start(
            Command(
                program,
                [
                    "--http-listen-addr", "127.0.0.1:\(try FreePort.find())", "--ateapi-address", "127.0.0.1:1",
                    "--status-listen-addr", "none", "--state-dir", files.path,
                ],
                environment: path, output: .lines { _ in }))
        try await eventually("nginx and its worker run") {
            try children(of: process.pid).contains { try hasChild($0) }
        }
        let master = try children(of: process.pid)
        let all = try master + master.flatMap { try children(of: $0) }
        #expect(all.count == 2)
        await process.killAndWait()
        try await eventually("both are gone") { all.allSatisfy { kill($0, 0) != 0 } }
    }

    private func hasChild(_ pid: Int32) throws -> Bool { try !children(of: pid).isEmpty }

    private func children(of pid: Int32) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task").flatMap { thread in
            let text = FileManager.default.contents(atPath: "/proc/\(pid)/task/\(thread)/children") ?? Data()
            return String(decoding: text, as: UTF8.self).split(separator: " ").compactMap { Int32($0) }
        }
    }
}
