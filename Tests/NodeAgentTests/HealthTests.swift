import Etcd
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// A node keeps its workers only while it does something with them.
@Suite struct HealthTests {
    let node: NodeHarness

    init() async throws { node = try await NodeHarness() }

    @Test func aLoopThatIsSilentForTooLongHangsAndIsNamed() async throws {
        let clock = ManualClock()
        let health = LoopHealth(limit: .seconds(10), clock: clock)
        await health.watching("a") { beatA in
            await health.watching("b") { _ in
                clock.advance(by: .seconds(10))
                #expect(health.hung.isEmpty)
                beatA(nil)
                clock.advance(by: .seconds(1))
                #expect(health.hung == ["b"])
                #expect(health.newlyHung() == ["b"] && health.newlyHung() == nil)
                clock.advance(by: .seconds(10))
                #expect(health.newlyHung() == ["a", "b"])
            }
            // What has ended does not hang.
            #expect(health.hung == ["a"])
            beatA(.seconds(30))
            #expect(health.newlyHung() == [])
            clock.advance(by: .seconds(30))
            #expect(health.hung.isEmpty)
            clock.advance(by: .seconds(1))
            #expect(health.hung == ["a"])
        }
    }

    @Test func aHungRuntimeCostsTheNodeItsWorkersAndItsActorsAreFrozenBefore() async throws {
        try await node.run(timeToLive: .seconds(5), progressLimit: .seconds(10)) {
            let slot = try await node.slot()
            _ = try await node.started("alice", on: slot)
            let hang = Gate()
            node.runtime.beforeAnswer { await hang.pass() }
            try await node.passTime(.milliseconds(50), until: "no renewal any more") {
                node.log.contains(.error, "the lease is not renewed, since parts of the node make no progress")
            }
            let renewals = node.etcd.renewals
            try await node.passTime(.milliseconds(50), until: "frozen") { !node.runtime.frozen.isEmpty }
            try await eventually("etcd takes the worker away") {
                try await node.fixture.store.presence(of: slot.ref) == nil
            }
            #expect(node.etcd.renewals == renewals)
            #expect(node.runtime.frozen == node.runtime.running)
            // When it comes round it finds that it has lost them.
            node.runtime.beforeAnswer(nil)
            hang.open()
            try await node.passTime(.milliseconds(50), until: "a new incarnation") {
                node.isAnotherIncarnation(than: slot)
            }
            #expect(node.runtime.running.isEmpty)
            #expect(node.log.contains(.info, "the node makes progress again"))
        }
    }

    @Test func aSlowStartIsNotTakenForAHang() async throws {
        try await node.run(progressLimit: .seconds(10)) {
            let slot = try await node.slot()
            let claim = try await node.claimed("alice", on: slot)
            let restoring = Gate()
            node.runtime.beforeStart { _ in await restoring.pass() }
            let start = Task { try await slot.start(node.workload("alice"), from: nil, claim.fences) }
            try await restoring.waitForArrival()
            // Ten renewals are more than three minutes, of which each could have been the first one left out.
            let renewals = node.etcd.renewals
            try await node.passTime(until: "ten renewals") { node.etcd.renewals >= renewals + 10 }
            restoring.open()
            #expect(try await start.value.state == .running)
            #expect(node.slots.slot(of: slot.ref)?.presence == slot.presence)
        }
    }

    @Test func aSlowCheckpointIsNotTakenForAHang() async throws {
        try await node.run(progressLimit: .seconds(10)) {
            let slot = try await node.slot()
            let resume = try await node.started("alice", on: slot)
            _ = try await node.fixture.store.confirmRunning(resume, at: node.fixture.address)
            let suspend = try await node.fixture.suspending("alice", on: node.held(slot))
            let writing = Gate()
            node.runtime.beforeCheckpoint { await writing.pass() }
            let snapshot = Snapshot.external(SnapshotURI("file:///s/1"))
            let checkpoint = Task { try await slot.checkpoint(to: snapshot, suspend.fences) }
            try await writing.waitForArrival()
            let renewals = node.etcd.renewals
            try await node.passTime(until: "ten renewals") { node.etcd.renewals >= renewals + 10 }
            writing.open()
            #expect(try await checkpoint.value.state == .checkpointed(snapshot))
            #expect(node.slots.slot(of: slot.ref)?.presence == slot.presence)
        }
    }

    @Test func aWorkerThatDoesNotComeToAnEndHoldsBackTheLease() async throws {
        try await node.run(workers: 2, progressLimit: .seconds(10)) {
            let slot = try await node.slot()
            let claim = try await node.claimed("alice", on: slot)
            let hang = Gate()
            // As a read from a disk that does not answer: it does not hear of a cancellation.
            node.runtime.beforeStart { _ in await uncancelled { await hang.pass() } }
            let start = Task { try await slot.start(node.workload("alice"), from: nil, claim.fences) }
            try await hang.waitForArrival()
            // The control plane has given up waiting.
            _ = try await node.fixture.store.revoke(claim)
            try await node.passTime(until: "no renewal any more") {
                node.log.lines.contains { line in
                    line.message.contains("make no progress")
                        && line.fields.contains { "\($0.1.text())".contains("worker default/pool/node-0") }
                }
            }
            hang.open()
            _ = await start.result
            try await node.passTime(until: "a new incarnation") { node.isAnotherIncarnation(than: slot) }
            #expect(node.runtime.started.isEmpty)
        }
    }
}
