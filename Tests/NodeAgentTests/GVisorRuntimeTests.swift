import Etcd
import Foundation
import GRPC
import Glibc
import Processes
import ServiceKit
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@testable import NodeAgent

/// Real actors in gVisor. As root, where runsc is; `scripts/deps` installs it.
@Suite(.serialized, .enabled(if: GVisorFixture.obstacle == nil, "gVisor cannot run here: see GVisorFixture.obstacle"))
struct GVisorRuntimeTests {
    @Test func memoryGoesOnOnAnotherNodeInAnotherNamespaceAtAnotherAddress() async throws {
        let first = try GVisorFixture()
        let second = try GVisorFixture(snapshots: first.runtime.snapshots.root)
        try await first.use {
            let before = try await first.start(1)
            #expect(try await before.ask("/remember?one") == "one")
            #expect(try await before.ask("/remember?two") == "one,two")
            try await before.sandbox.checkpoint(to: first.uri("a"), .full, if: nil)
            #expect(before.sandbox.hasEnded)
            try await second.use {
                let after = try await second.start(7, pod: "node-3", from: first.uri("a"))
                #expect(after.activation.address != before.activation.address)
                #expect(try await after.ask("/remember?three") == "one,two,three")
                await after.sandbox.kill()
            }
        }
        #expect(try first.traces() == [])
        #expect(try second.traces() == [])
        #expect(!FileManager.default.fileExists(atPath: first.runtime.memory.path))
    }

    @Test func connectionsOpenAndClosedDoNotCostAnActorItsMemory() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            let before = try await fixture.start(1)
            // The actor closes these first, and remembers them for a minute.
            for word in ["one", "two"] { _ = try await before.ask("/remember?\(word)close") }
            let open = try Connection(to: before.activation.address)
            defer { open.end() }
            try open.send("GET /remember?three HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try open.receive(until: "three").hasSuffix("oneclose,twoclose,three"))
            try await before.sandbox.checkpoint(to: fixture.uri("a"), .full, if: nil)
            #expect(open.isReset)
            let after = try await fixture.start(2, from: fixture.uri("a"))
            #expect(try await after.ask("/words") == "oneclose,twoclose,three")
            await after.sandbox.kill()
        }
    }

    /// The lines that an actor knows of in its memory and those in its file are the same ones, whenever it is stopped.
    @Test func aLogThatGrowsMissesNoLineAndHasNoneTwice() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            var lines = 0
            func writes(_ actor: GVisorActor) async throws {
                let before = lines
                try await eventually("the log grows") {
                    let answer = try await actor.ask("/logged")
                    lines = try #require(Int(answer), "the log is \(answer)")
                    return lines > before
                }
            }
            var actor = try await fixture.start(1)
            try await writes(actor)
            for epoch in Int64(2)...4 {
                try await actor.sandbox.checkpoint(to: fixture.uri("\(epoch)"), .full, if: nil)
                actor = try await fixture.start(epoch, from: fixture.uri("\(epoch)"))
                try await writes(actor)
            }
            await actor.sandbox.kill()
        }
    }

    /// As programs have that want to know their own address.
    @Test func aSocketThatIsConnectedOrBoundToItsAddressDoesNotCostAnActorItsMemory() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            let before = try await fixture.start(1)
            let address = try await before.ask("/udp")
            #expect(try await before.ask("/bind?\(address)") == "bound")
            try await before.sandbox.checkpoint(to: fixture.uri("a"), .full, if: nil)
            let after = try await fixture.start(2, from: fixture.uri("a"))
            #expect(after.activation.address != before.activation.address)
            #expect(try await after.ask("/udp") == address)
            await after.sandbox.kill()
        }
    }

    @Test func aCheckpointThatDoesNotFitOnTheDiskLeavesTheActorRunning() async throws {
        let disk = try SmallDisk(megabytes: 4)
        let fixture = try GVisorFixture(snapshots: disk.path)
        try await fixture.use {
            let actor = try await fixture.start(1)
            _ = try await actor.ask("/remember?one")
            let failure = await #expect(throws: RuntimeFailure.self) {
                try await actor.sandbox.checkpoint(to: fixture.uri("a"), .full, if: nil)
            }
            #expect(failure?.reason.contains("No space left on device") == true, "\(String(describing: failure))")
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(disk.path)/uid").isEmpty)
            #expect(try await actor.ask("/remember?two") == "one,two")
            await actor.sandbox.kill()
        }
        try disk.remove()
    }

    @Test func aFileThatIsDeletedAndOpenIsAReasonNotToSaveAndNotToDie() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            let before = try await fixture.start(1)
            _ = try await before.ask("/remember?one")
            #expect(try await before.ask("/delete?gone") == "deleted")
            let failure = await #expect(throws: RuntimeFailure.self) {
                try await before.sandbox.checkpoint(to: fixture.uri("a"), .full, if: nil)
            }
            #expect(failure?.reason.contains("deleted or replaced") == true, "\(String(describing: failure))")
            #expect(failure?.reason.contains("/gone") == true, "\(String(describing: failure))")
            #expect(try await before.ask("/forget") == "forgotten")
            try await before.sandbox.checkpoint(to: fixture.uri("a"), .full, if: nil)
            let after = try await fixture.start(2, from: fixture.uri("a"))
            #expect(try await after.ask("/words") == "one")
            await after.sandbox.kill()
        }
    }

    @Test func thePlaceOfTheDurableDirectoryIsMadeInTheSandboxAndNotOnTheNode() async throws {
        let fixture = try GVisorFixture()
        let place = "\(GVisorLayout.mountRoot)/\(UUID().uuidString)"
        try await fixture.use {
            var activation = fixture.activation(1)
            activation.workload.containers[0].volumeMounts = [
                Container.VolumeMount(name: "durable", path: "\(place)/a")
            ]
            let actor = GVisorActor(sandbox: try await fixture.runtime.start(activation), activation: activation)
            #expect(try await actor.ask("/write?\(place)/a/file") == "written")
            #expect(!FileManager.default.fileExists(atPath: place))
            #expect(
                FileManager.default.fileExists(
                    atPath: "\(fixture.directory.activation(pod: "node-0", epoch: Epoch(1)).durable)/file"))
            await actor.sandbox.kill()
        }
    }

    @Test func aConditionThatFailsLeavesTheActorRunning() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            let actor = try await fixture.start(1)
            let before = try await actor.ask("/count")
            let busy: CheckpointCondition = { () throws(RuntimeFailure) in
                throw RuntimeFailure(.failedPrecondition, "not idle")
            }
            let failure = await #expect(throws: RuntimeFailure.self) {
                try await actor.sandbox.checkpoint(to: fixture.uri("a"), .full, if: busy)
            }
            #expect(failure?.reason == "not idle")
            try await eventually("it counts on") { try await actor.ask("/count") != before }
            await actor.sandbox.kill()
        }
    }

    @Test func aSnapshotOfDataHoldsTheDurableDirectoryAndNoMemory() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            let before = try await fixture.start(1)
            _ = try await before.ask("/remember?one")
            #expect(try await before.ask("/write?file") == "written")
            try await before.sandbox.checkpoint(to: fixture.uri("a"), .data, if: nil)
            let after = try await fixture.start(2, from: fixture.uri("a"))
            #expect(try await after.ask("/words") == "")
            #expect(try await after.ask("/read?.") == "file,log")
            await after.sandbox.kill()
        }
    }

    @Test func whatTheWatchdogFreezesStandsStillAndGoesOn() async throws {
        let fixture = try GVisorFixture()
        try await fixture.useGuarded { watchdog, hold in
            let actor = try await fixture.start(1)
            await watchdog.freeze()
            let cgroup = ActorCgroup(actor.activation.id, directoryID: fixture.directory.id)
            #expect(cgroup.processes.count > 3)
            let before = try processorTime(of: cgroup.processes)
            // Nothing that a processor does for it is missed, however long this takes.
            #expect(ProcessTable.stop(fixture.directory.mark) == 0)
            #expect(try processorTime(of: cgroup.processes) == before)
            await #expect(throws: (any Error).self) { try await actor.ask("/count", within: .milliseconds(200)) }
            #expect(try processorTime(of: cgroup.processes) == before)
            #expect(await watchdog.thaw([actor.activation.id], hold))
            let count = try await actor.ask("/count")
            try await eventually("it counts on") { try await actor.ask("/count") != count }
            // What stands still dies all the same, and does not move for it.
            await watchdog.freeze()
            await actor.sandbox.kill()
            #expect(cgroup.processes.isEmpty)
        }
    }

    @Test func anActorSeesOfTheNodeWhatEverybodyMayAndWritesNowhereButInItsDirectory() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            let actor = try await fixture.start(1)
            for path in ["/root", "/home"] { #expect(try await actor.ask("/read?\(path)") == "") }
            #expect(try await actor.ask("/read?\(fixture.directory.path)") == "FileNotFoundError")
            #expect(try await actor.ask("/write?/usr/bin/x") == "PermissionError")
            // A name that nobody else uses on the node.
            let written = "/tmp/\(UUID().uuidString)"
            #expect(try await actor.ask("/write?\(written)") == "written")
            #expect(try await actor.ask("/write?x") == "written")
            #expect(
                FileManager.default.fileExists(
                    atPath: "\(fixture.directory.activation(pod: "node-0", epoch: Epoch(1)).durable)/x"))
            #expect(!FileManager.default.fileExists(atPath: written))
            await actor.sandbox.kill()
        }
    }

    @Test func whoeverIsConnectedToAnActorThatDiesIsToldAtOnce() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            let actor = try await fixture.start(1)
            let open = try Connection(to: actor.activation.address)
            defer { open.end() }
            // The answer never comes, and the client sends nothing more.
            try open.send("GET /reach")
            await actor.sandbox.kill()
            #expect(open.isReset)
        }
    }

    @Test func whatAnAgentLeavesBehindIsGoneWhenTheNextOneBegins() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            let actor = try await fixture.start(1)
            // As far as the kernel does it when an agent dies.
            (actor.sandbox as? GVisorSandbox)?.process.signal(SIGKILL)
            try await fixture.runtime.killLeftovers()
            #expect(processStates(fixture.directory.marker).isEmpty)
            #expect(try fixture.traces() == [])
        }
    }

    @Test func aStartThatIsCancelledLeavesNothing() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            var activation = fixture.activation(1, command: ["/bin/sleep", "600"])
            activation.workload.containers[0].readiness = Container.Readiness(path: "/", port: 9)
            let cgroup = ActorCgroup(activation.id, directoryID: fixture.directory.id)
            let start = Task { [runtime = fixture.runtime, activation] in try await runtime.start(activation) }
            try await eventually("the sandbox runs") { cgroup.processes.count > 3 }
            start.cancel()
            await #expect(throws: RuntimeFailure.self) { try await start.value }
            #expect(try fixture.activationTraces() == [])
            #expect(
                !FileManager.default.fileExists(
                    atPath: fixture.directory.activation(pod: "node-0", epoch: Epoch(1)).path))
        }
    }

    @Test func whatCannotBeRunIsRefusedWithItsReason() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use { () async throws in
            func failure(_ change: (inout Activation) -> Void) async -> String? {
                var activation = fixture.activation(1, command: ["/bin/sleep", "600"])
                change(&activation)
                do throws(RuntimeFailure) {
                    try await fixture.runtime.start(activation).kill()
                    return nil
                } catch {
                    return error.reason
                }
            }
            #expect(
                await failure { $0.workload.sandboxRules.memory = 1 << 30 }?.contains(
                    "1024 MiB of memory is more than the 512")
                    == true)
            if KernelFile.contents("/proc/sys/net/ipv4/ip_forward")?.first == UInt8(ascii: "0") {
                #expect(
                    await failure { $0.workload.sandboxRules.egress = [EgressRule(subnet: "10.0.0.0/8")] }?.contains(
                        "set net.ipv4.ip_forward to 1") == true)
            }
            #expect(await failure { $0.pod = "../node-0" }?.contains("cannot be part of a path") == true)
            #expect(
                await failure { $0.workload.containers.append($0.workload.containers[0]) }?.contains(
                    "has one container") == true)
            #expect(
                await failure { $0.workload.containers[0].image = "rootfs:/etc" }?.contains("has no images") == true)
            for path in ["/data/a", "/run/substrate", "/run/substrate-x/a"] {
                #expect(
                    await failure {
                        $0.workload.containers[0].volumeMounts = [Container.VolumeMount(name: "durable", path: path)]
                    }?.contains("below /run/substrate/ alone") == true)
            }
            #expect(await failure { $0.address.ip = "127.0.0.1" }?.contains("not of 127.0.0.0/8") == true)
            #expect(
                await failure { $0.workload.containers[0].command = ["/no/such/program"] }?.contains(
                    "exited with status") == true)
            #expect(try fixture.activationTraces() == [])
        }
    }

    @Test func theSelfTestPassesAndLeavesNothing() async throws {
        let fixture = try GVisorFixture()
        // As of one that was killed.
        try FileManager.default.createDirectory(
            atPath: "\(fixture.directory.localSnapshots.root)/self-test/memory/x", withIntermediateDirectories: true)
        try await fixture.runtime.selfTest()
        #expect(try fixture.traces() == [])
        #expect(await fixture.runtime.localSnapshotStore.all == [])
    }

    /// In ticks of the kernel.
    private func processorTime(of processes: [Int32]) throws -> Int {
        try processes.map { pid in
            let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
            let fields = text[text.index(after: try #require(text.lastIndex(of: ")")))...].split(separator: " ")
            return try #require(Int(fields[11])) + #require(Int(fields[12]))
        }.reduce(0, +)
    }
}
