import Etcd
import Foundation
import GRPC
import Glibc
import LocalCluster
import ServiceKit
import SubstrateAPI
import SubstrateModel
import Synchronization
import TestKit
import Testing

@testable import NodeAgent

/// What takes longer than the quick tests have time for. With SUBSTRATE_FULL_TESTS=1.
@Suite(
    .serialized,
    .enabled(
        if: GVisorFixture.obstacle == nil && ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] == "1",
        "needs SUBSTRATE_FULL_TESTS=1, root and runsc"))
struct FullGVisorTests {
    @Test func fiftyActivationsInARowLeaveNothingBehind() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            let first = try await fixture.start(1)
            _ = try await first.ask("/remember?one")
            try await first.sandbox.checkpoint(to: fixture.uri("1"), .full, if: nil)
            let traces = try fixture.traces()
            for epoch in Int64(2)...50 {
                let actor = try await fixture.start(epoch, from: fixture.uri("\(epoch - 1)"))
                #expect(try await actor.ask("/words") == "one")
                try await actor.sandbox.checkpoint(to: fixture.uri("\(epoch)"), .full, if: nil)
                #expect(try fixture.traces() == traces)
            }
        }
        #expect(try fixture.traces() == [])
    }

    /// One of a hundred signals that a thread of an actor got at the wrong moment ended its sandbox.
    @Test func anActorOutlivesHoweverManyFreezes() async throws {
        let fixture = try GVisorFixture()
        try await fixture.useGuarded { watchdog, hold in
            let actor = try await fixture.start(1)
            for _ in 1...200 {
                await watchdog.freeze()
                #expect(await watchdog.thaw([actor.activation.id], hold))
                // A connection may be refused now and then, as the firewall's list of them grows.
                try await eventually("it answers") { (try? await actor.ask("/words")) == "" }
                #expect(!actor.sandbox.hasEnded)
            }
            await actor.sandbox.kill()
        }
    }

    @Test func aMemoryThatIsSavedButCannotBeNamedYetIsNotThrownAway() async throws {
        let fixture = try GVisorFixture()
        let root = "\(fixture.runtime.snapshots.root)/uid"
        try await fixture.use {
            let before = try await fixture.start(1)
            _ = try await before.ask("/remember?one")
            let checks = Atomic<Int>(0)
            // Something is in the way when it is too late to go on.
            let block: CheckpointCondition = { () throws(RuntimeFailure) in
                guard checks.add(1, ordering: .relaxed).newValue == 2 else { return }
                try? FileManager.default.createDirectory(atPath: "\(root)/a/x", withIntermediateDirectories: true)
            }
            let checkpoint = Task { try await before.sandbox.checkpoint(to: fixture.uri("a"), .full, if: block) }
            try await eventually("it is complete but for its name") {
                FileManager.default.fileExists(atPath: "\(root)/.a.partial/manifest.json")
            }
            try FileManager.default.removeItem(atPath: "\(root)/a/x")
            try await checkpoint.value
            let after = try await fixture.start(2, from: fixture.uri("a"))
            #expect(try await after.ask("/words") == "one")
            await after.sandbox.kill()
        }
    }

    @Test func aLeaseThatLapsesInTheMiddleOfACheckpointCostsNoMemory() async throws {
        let fixture = try GVisorFixture()
        try await fixture.useGuarded { watchdog, hold in
            let before = try await fixture.start(1)
            _ = try await before.ask("/remember?one")
            // So that writing it takes a while.
            _ = try await before.ask("/fill?64")
            let checkpoint = Task { try await before.sandbox.checkpoint(to: fixture.uri("a"), .full, if: nil) }
            let image = "\(fixture.runtime.snapshots.root)/uid/.a.partial/checkpoint.img"
            try await eventually("it is being saved") { FileManager.default.fileExists(atPath: image) }
            await watchdog.freeze()
            let cgroup = ActorCgroup(before.activation.id, directoryID: fixture.directory.id)
            try await eventually("everything stands still") {
                ProcessTable.stop(fixture.directory.mark) == 0
            }
            #expect(!cgroup.processes.isEmpty && FileManager.default.fileExists(atPath: image))
            #expect(await watchdog.thaw([before.activation.id], hold))
            try await checkpoint.value
            let after = try await fixture.start(2, from: fixture.uri("a"))
            #expect(try await after.ask("/words") == "one")
            await after.sandbox.kill()
        }
    }

    @Test func aForkBombStaysInItsSandbox() async throws {
        let limit = 100
        let fixture = try GVisorFixture(processLimit: limit)
        try await fixture.use {
            let other = try await fixture.start(1, pod: "node-0")
            let bomb = try await fixture.start(2, pod: "node-1")
            let cgroup = ActorCgroup(bomb.activation.id, directoryID: fixture.directory.id)
            let asking = Task { try await bomb.ask("/bomb", within: .seconds(60)) }
            try await eventually("it is refused more") { cgroup.refusals > 0 }
            asking.cancel()
            let threads = cgroup.processes.map { KernelFile.numbers(in: "/proc/\($0)/task").count }.reduce(0, +)
            #expect(threads <= limit)
            #expect(try await other.ask("/remember?one") == "one")
            await bomb.sandbox.kill()
            #expect(cgroup.processes.isEmpty)
            await other.sandbox.kill()
        }
    }

    /// By the limit of its template, which is below that of the node.
    @Test func anActorThatTakesTooMuchMemoryDiesAndNobodyElse() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            let other = try await fixture.start(1, pod: "node-0")
            var activation = fixture.activation(2, pod: "node-1")
            activation.workload.sandboxRules.memory = 256 << 20
            activation.workload.sandboxRules.milliCPUs = 900
            let hog = GVisorActor(sandbox: try await fixture.runtime.start(activation), activation: activation)
            let cgroup = ActorCgroup(activation.id, directoryID: fixture.directory.id)
            let quota = cgroup.paths.lazy.compactMap { KernelFile.contents("\($0)/cpu.cfs_quota_us") }.first
            if let quota { #expect(String(decoding: quota, as: UTF8.self) == "90000\n") }
            // The answer never comes: whoever waits for it hears of the end when the sandbox has been cleared away.
            let asking = Task { try await hog.ask("/hog", within: .seconds(60)) }
            #expect(await hog.sandbox.waitForEnd() != nil)
            asking.cancel()
            #expect(try await other.ask("/remember?one") == "one")
            await hog.sandbox.kill()
            await other.sandbox.kill()
        }
    }

    @Test func aMemoryThatIsNotWhatWasWrittenIsRefused() async throws {
        let fixture = try GVisorFixture()
        try await fixture.use {
            try await fixture.start(1).sandbox.checkpoint(to: fixture.uri("a"), .full, if: nil)
            let path = "\(fixture.runtime.snapshots.root)/uid/a/checkpoint.img"
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            try file.seek(toOffset: 1000)
            try file.write(contentsOf: Data(repeating: 7, count: 8))
            try file.close()
            let failure = await #expect(throws: RuntimeFailure.self) {
                try await fixture.start(2, from: fixture.uri("a"))
            }
            #expect(failure?.code == .dataLoss)
            #expect(failure?.reason.contains("its memory is not as the manifest says") == true)
            #expect(try fixture.activationTraces() == [])
        }
    }

    @Test func aMemoryOfOtherFilesOrOfAnotherRunscIsRefused() async throws {
        let fixture = try GVisorFixture()
        let path = "\(fixture.runtime.snapshots.root)/uid/a/manifest.json"
        try await fixture.use {
            try await fixture.start(1).sandbox.checkpoint(to: fixture.uri("a"), .full, if: nil)
            let text = try String(contentsOfFile: path, encoding: .utf8)
            let version = try #require(fixture.runtime.version)
            for (old, new, reason) in [
                ("\"node\"", "\"rootfs:/srv/a\"", "with other files"),
                (version, "runsc version 1", "resume it on a node"),
            ] {
                #expect(text.contains(old))
                try text.replacing(old, with: new).write(toFile: path, atomically: true, encoding: .utf8)
                let failure = await #expect(throws: RuntimeFailure.self) {
                    try await fixture.start(2, from: fixture.uri("a"))
                }
                #expect(failure?.reason.contains(reason) == true, "\(String(describing: failure))")
            }
        }
    }

    @Test func anActorReachesNeitherOtherActorsNorTheNodeNorTheWorld() async throws {
        let fixture = try GVisorFixture()
        let server = try Server(address: "0.0.0.0:0", credentials: .insecure, methods: [])
        try await running(server.run) {
            try await fixture.use {
                let alice = try await fixture.start(1, pod: "node-0")
                let bob = try await fixture.start(2, pod: "node-1")
                let node = "\(NodeNetwork.gateway):\(server.port)"
                // The same places are reached from the node.
                #expect(try await bob.ask("/words") == "")
                try Connection(to: ActorAddress(ip: NodeNetwork.gateway, port: server.port)).end()
                for place in ["\(bob.activation.address.ip):80", node, "1.1.1.1:80"] {
                    #expect(try await alice.ask("/reach?\(place)") != "reached", "\(place)")
                }
                await alice.sandbox.kill()
                await bob.sandbox.kill()
            }
        }
    }
}
