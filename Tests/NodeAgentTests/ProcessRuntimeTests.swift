import Etcd
import Foundation
import GRPC
import LocalCluster
import Processes
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// Real processes as actors.
@Suite struct ProcessRuntimeTests {
    let files = TemporaryDirectory()
    let directory: StateDirectory
    let log = LogRecorder()

    init() throws {
        directory = try StateDirectory(path: "\(files.path)/state", newID: { UUID().uuidString })
    }

    private var runtime: ProcessRuntime {
        ProcessRuntime(
            directory: directory, snapshots: SnapshotDirectory(root: "\(files.path)/snapshots"), log: log.log)
    }

    private func activation(
        _ epoch: Int64, _ commands: [String]..., snapshot: SnapshotURI? = nil, readiness: Container.Readiness? = nil,
        port: Int = 1
    ) -> Activation {
        let containers = commands.enumerated().map { index, command in
            Container(
                name: "c\(index)", command: command,
                environment: [Container.Variable(name: "GREETING", value: "hello")],
                readiness: readiness)
        }
        return Activation(
            pod: "node-0", epoch: Epoch(epoch),
            workload: Workload(
                actor: ActorRef(atespace: "default", name: "alice"), actorUID: "uid",
                template: TemplateRef(namespace: "n", name: "t"), containers: containers),
            address: ActorAddress(ip: "127.0.0.1", port: port), snapshot: snapshot,
            output: ActorOutput(epoch: Epoch(epoch), workerPod: "node-0", wallClock: { 0 }))
    }

    private func shell(_ script: String) -> [String] { ["/bin/sh", "-c", script] }

    private func file(_ epoch: Int64, _ name: String) -> String? {
        let path = directory.activation(pod: "node-0", epoch: Epoch(epoch)).durable
        return FileManager.default.contents(atPath: "\(path)/\(name)").map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func theEnvironmentTellsAnActorWhatItNeeds() async throws {
        let script = "echo \"$GREETING $ATE_ATESPACE/$ATE_ACTOR_ID $ATE_ADDRESS:$ATE_PORT $PWD\" > told; exec sleep 60"
        let sandbox = try await runtime.start(activation(1, shell(script)))
        let durable = directory.activation(pod: "node-0", epoch: Epoch(1)).durable
        try await eventually("it has said what it was told") { file(1, "told")?.hasSuffix("\n") == true }
        #expect(file(1, "told") == "hello default/alice 127.0.0.1:1 \(durable)\n")
        await sandbox.kill()
        #expect(sandbox.hasEnded)
        #expect(!FileManager.default.fileExists(atPath: durable))
    }

    @Test func whatAnActorPrintsIsLoggedWithItsName() async throws {
        let sandbox = try await runtime.start(activation(1, shell("echo one; echo two >&2; exec sleep 60")))
        try await eventually("both lines") {
            let lines = log.lines.filter { $0.message == "actor output" }
            return Set(lines.compactMap { $0.fields.first { $0.0 == "output" }?.1.text() }) == ["\"one\"", "\"two\""]
        }
        await sandbox.kill()
    }

    @Test func whatTwoContainersWriteIsKeptAsBytesUntilTheLastHasEnded() async throws {
        let activation = activation(
            1, shell("printf 'a\\377b\\n'; exec sleep 60"), shell("printf unfinished; echo wrong >&2; exec sleep 60"))
        let sandbox = try await runtime.start(activation)
        let reader = activation.output.reader(follow: true)
        var lines: [LogLine] = []
        while lines.count < 2, let batch = await reader.next() { lines += batch.lines }
        await sandbox.kill()
        // The end comes without anybody's doing.
        while let batch = await reader.next() { lines += batch.lines }
        let byContainer = Dictionary(grouping: lines, by: \.container)
        #expect(byContainer["c0"]?.map(\.text) == [[0x61, 0xff, 0x62]])
        #expect(byContainer["c1"]?.map(\.text) == [Array("wrong".utf8), Array("unfinished".utf8)])
        #expect(byContainer["c1"]?.map(\.source) == [.standardError, .standardOutput])
    }

    @Test func theLastWordsOfACheckpointedActorAreKept() async throws {
        let activation = activation(1, shell("echo before; echo done > ready; exec sleep 60"))
        let sandbox = try await runtime.start(activation)
        try await eventually("it has spoken") { file(1, "ready") != nil }
        try await sandbox.checkpoint(to: SnapshotURI("file://\(files.path)/snapshots/uid/1"))
        let reader = activation.output.reader(follow: true)
        #expect(await reader.next()?.lines.map(\.text) == [Array("before".utf8)])
        #expect(await reader.next() == nil)
    }

    @Test func aCheckpointKeepsTheDirectoryAndEndsTheActorAndARestoreBringsItBack() async throws {
        let uri = SnapshotURI("file://\(files.path)/snapshots/uid/1")
        let first = try await runtime.start(activation(1, shell("echo kept > file; echo done > ready; exec sleep 60")))
        try await eventually("the file is written") { file(1, "ready") != nil }
        try await first.checkpoint(to: uri)
        #expect(first.hasEnded)
        #expect(await first.waitForEnd() != nil)
        let second = try await runtime.start(activation(2, shell("cat file > copy; exec sleep 60"), snapshot: uri))
        try await eventually("the file is read") { file(2, "copy") == "kept\n" }
        await second.kill()
    }

    @Test func aConditionIsAskedWhileTheActorStandsStillAndAgainBeforeItEnds() async throws {
        let watchdog = ProcessWatchdog(directory: directory, executable: WatchdogTests.atelet)
        try await watchdog.start()
        #expect(await watchdog.begin(LeaseHold(duration: .seconds(60), sinceSent: ContinuousClock().stopwatch())))
        let uri = SnapshotURI("file://\(files.path)/snapshots/uid/1")
        let activation = activation(1, shell("i=0; while :; do i=$((i+1)); echo $i > count; done"))
        let sandbox = try await runtime.start(activation)
        try await eventually("it counts") { file(1, "count")?.isEmpty == false }
        for refusal in 1...2 {
            let asked = Counter()
            await #expect(throws: RuntimeFailure.self) {
                try await sandbox.checkpoint(to: uri, .data) { () throws(RuntimeFailure) in
                    if asked.next() + 1 == refusal { throw RuntimeFailure(.failedPrecondition, "not now") }
                }
            }
            #expect(asked.next() == refusal && !sandbox.hasEnded)
            let before = file(1, "count")
            #expect(await watchdog.resume(activation.id))
            try await eventually("it counts on") { file(1, "count") != before }
        }
        let counts = Collected<String?>()
        try await sandbox.checkpoint(to: SnapshotURI("file://\(files.path)/snapshots/uid/2"), .data) {
            () throws(RuntimeFailure) in
            counts.append(file(1, "count"))
        }
        #expect(sandbox.hasEnded && counts.all.count == 2 && counts.all[0] == counts.all[1])
        try await WatchdogTests.end(watchdog)
    }

    @Test func aCheckpointThatFailsLeavesAnActorThatTheWatchdogLetsGoOn() async throws {
        let watchdog = ProcessWatchdog(directory: directory, executable: WatchdogTests.atelet)
        try await watchdog.start()
        #expect(await watchdog.begin(LeaseHold(duration: .seconds(60), sinceSent: ContinuousClock().stopwatch())))
        let script = "i=0; while :; do i=$((i+1)); echo $i > count; done"
        let activation = activation(1, shell(script))
        let sandbox = try await runtime.start(activation)
        try await eventually("it counts") { file(1, "count")?.isEmpty == false }
        let blocked = SnapshotURI("file://\(files.path)/snapshots/blocked/1")
        try FileManager.default.createDirectory(atPath: "\(files.path)/snapshots", withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: "\(files.path)/snapshots/blocked", contents: nil)
        for uri in [SnapshotURI("file:///proc/nowhere/uid/1"), blocked] {
            await #expect(throws: RuntimeFailure.self) { try await sandbox.checkpoint(to: uri) }
            #expect(!sandbox.hasEnded)
            let before = file(1, "count")
            #expect(await watchdog.resume(activation.id))
            try await eventually("it counts on") { file(1, "count") != before }
        }
        await sandbox.kill()
        try await WatchdogTests.end(watchdog)
    }

    @Test func withoutAProgramTheStartFailsAndLeavesNothing() async throws {
        let error = await #expect(throws: RuntimeFailure.self) {
            try await runtime.start(activation(1, ["/no/such/program"]))
        }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.reason == "cannot start /no/such/program: No such file or directory")
        #expect(!FileManager.default.fileExists(atPath: directory.activation(pod: "node-0", epoch: Epoch(1)).path))
    }

    @Test func anActorThatEndsBeforeItIsReadyHasNotStarted() async throws {
        let probe = Container.Readiness(path: "/readyz", port: 1)
        let error = await #expect(throws: RuntimeFailure.self) {
            try await runtime.start(activation(1, shell("exit 3"), readiness: probe))
        }
        #expect(error?.reason == "a process exited with status 3 before the actor was ready")
    }

    @Test func aStartThatIsCancelledLeavesNothing() async throws {
        let probe = Container.Readiness(path: "/readyz", port: 1)
        let activation = activation(1, shell("echo $$ > pid; exec sleep 60"), readiness: probe)
        let runtime = runtime
        let start = Task { try await runtime.start(activation) }
        let pid = try await eventualValue("it has begun") { file(1, "pid").flatMap { Int32($0.filter(\.isNumber)) } }
        start.cancel()
        await #expect(throws: RuntimeFailure.self) { try await start.value }
        #expect(kill(pid, 0) != 0)
        #expect(!FileManager.default.fileExists(atPath: directory.activation(pod: "node-0", epoch: Epoch(1)).path))
    }

    @Test func whenOneOfTwoContainersEndsTheActorHasEnded() async throws {
        let sandbox = try await runtime.start(
            activation(1, shell("echo $$ > pid; exec sleep 60"), shell("while [ ! -e go ]; do :; done; exit 4")))
        let pid = try await eventualValue("the first has begun") {
            file(1, "pid").flatMap { Int32($0.filter(\.isNumber)) }
        }
        let durable = directory.activation(pod: "node-0", epoch: Epoch(1)).durable
        _ = FileManager.default.createFile(atPath: "\(durable)/go", contents: nil)
        #expect(await sandbox.waitForEnd() == "a process exited with status 4")
        try await eventually("the other is dead, too") { kill(pid, 0) != 0 }
    }

    @Test func leftoversOfAnEarlierAgentAreKilledAndTheirFilesRemoved() async throws {
        // A child that has left its process group, as a daemon does.
        let script = "setsid sh -c 'echo $$ > ../../../daemon; exec sleep 60' & exec sleep 60"
        let sandbox = try await runtime.start(activation(1, shell(script)))
        let path = "\(directory.path)/workers/daemon"
        let pid = try await eventualValue("the daemon runs") {
            FileManager.default.contents(atPath: path).flatMap {
                Int32(String(decoding: $0, as: UTF8.self).filter(\.isNumber))
            }
        }
        // As far as the kernel does it when an agent dies.
        for process in try #require(sandbox as? ProcessSandbox).processes { await process.killAndWait() }
        #expect(kill(pid, 0) == 0)
        try await runtime.killLeftovers()
        // Nothing of it runs any more when that has returned: only then workers are registered.
        #expect(processStates(directory.marker).isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/workers").isEmpty)
    }

    @Test func aKilledActorTakesChildrenAlongThatHaveLeftItsGroup() async throws {
        let activation = activation(1, shell("setsid sh -c 'echo $$ > daemon; exec sleep 60' & exec sleep 60"))
        let sandbox = try await runtime.start(activation)
        _ = try await eventualValue("the daemon runs") { file(1, "daemon").flatMap { Int32($0.filter(\.isNumber)) } }
        await sandbox.kill()
        #expect(processStates(directory.marker).isEmpty)
    }

    @Test func aCheckpointStandsStillForChildrenThatHaveLeftTheGroupToo() async throws {
        let script = "setsid sh -c 'while :; do echo x >> file; cp file copy; done' & echo > ready; exec sleep 60"
        let sandbox = try await runtime.start(activation(1, shell(script)))
        try await eventually("it writes") { file(1, "copy")?.isEmpty == false }
        let uri = SnapshotURI("file://\(files.path)/snapshots/uid/1")
        try await sandbox.checkpoint(to: uri)
        #expect(processStates(directory.marker).isEmpty)
    }

    @Test func aSnapshotThatNobodyWantsAnyMoreIsInterrupted() async throws {
        let script = "head -c 300000000 /dev/urandom > large; echo > ready; exec sleep 60"
        let sandbox = try await runtime.start(activation(1, shell(script)))
        try await eventually("there is much to pack") { file(1, "ready") != nil }
        let uri = SnapshotURI("file://\(files.path)/snapshots/uid/1")
        let checkpoint = Task { try await sandbox.checkpoint(to: uri) }
        try await eventually("it is being written") {
            FileManager.default.fileExists(atPath: "\(files.path)/snapshots/uid/.1.partial/durable.tar.zst")
        }
        checkpoint.cancel()
        let error = await #expect(throws: RuntimeFailure.self) { try await checkpoint.value }
        #expect(error?.reason.contains("interrupted") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(files.path)/snapshots/uid").isEmpty)
        await sandbox.kill()
    }

    @Test func aSelfTestPassesWhereAnActorCanBeStarted() async throws {
        try await runtime.selfTest(pod: "node-0", address: ActorAddress(ip: "127.0.0.1", port: try FreePort.find()))
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/workers/node-0").isEmpty)
    }

    @Test func aSelfTestSaysThatNothingCanBeWritten() async throws {
        let path = "\(directory.path)/workers"
        try FileManager.default.removeItem(atPath: path)
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        let address = ActorAddress(ip: "127.0.0.1", port: try FreePort.find())
        let error = await #expect(throws: RuntimeFailure.self) {
            try await runtime.selfTest(pod: "node-0", address: address)
        }
        #expect(error?.reason.hasPrefix("cannot write below \(path)/node-0/0") == true)
        let start = await #expect(throws: RuntimeFailure.self) {
            try await runtime.start(activation(1, shell("exec sleep 60")))
        }
        #expect(start?.mayLieInWorker == true)
    }

    @Test func aSelfTestAndAStartSayThatSomebodyElseHasTheAddress() async throws {
        let port = try FreePort.find()
        let server = try Server(address: "127.0.0.1:\(port)", credentials: .insecure, methods: [])
        try await running(server.run) {
            let error = await #expect(throws: RuntimeFailure.self) {
                try await runtime.selfTest(pod: "node-0", address: ActorAddress(ip: "127.0.0.1", port: port))
            }
            #expect(error?.reason == "the address 127.0.0.1:\(port) cannot be used: Address already in use")
            let start = await #expect(throws: RuntimeFailure.self) {
                try await runtime.start(activation(1, shell("exec sleep 60"), port: port))
            }
            #expect(start?.reason == error?.reason && start?.mayLieInWorker == true)
        }
    }

    @Test func theRuntimeAnswersWhileAStartTakesItsTime() async throws {
        let probe = Container.Readiness(path: "/readyz", port: 1)
        let activation = activation(1, shell("echo begun > file; exec sleep 60"), readiness: probe)
        let runtime = runtime
        let start = Task { try await runtime.start(activation) }
        try await eventually("it has begun") { file(1, "file") != nil }
        await runtime.answer()
        start.cancel()
        _ = await start.result
    }

    @Test func aStateDirectoryHasOneAgentAtATime() throws {
        let error = #expect(throws: StateDirectoryError.self) {
            try StateDirectory(path: directory.path, newID: { "x" })
        }
        #expect("\(try #require(error))".contains("in use by another atelet"))
    }

    @Test func theIDOfAStateDirectoryStays() async throws {
        let path = "\(files.path)/other"
        let first = try StateDirectory(path: path, newID: { "first" }).id
        // A child that another test is just starting has the lock, too, for the moment until it is another program.
        let second = try await eventualValue("the lock is free") {
            try? StateDirectory(path: path, newID: { "second" }).id
        }
        #expect(second == first)
    }
}

extension Sandbox {
    fileprivate func checkpoint(to snapshot: SnapshotURI) async throws(RuntimeFailure) {
        try await checkpoint(to: snapshot, .data, if: nil)
    }
}
