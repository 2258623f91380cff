import Etcd
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// What a node may do when, one promise each.
@Suite struct NodeRuleTests {
    let node: NodeHarness

    init() async throws { node = try await NodeHarness() }

    @Test func nothingIsRegisteredBeforeWhatWasLeftBehindIsDead() async throws {
        let node = node
        let killing = Gate()
        node.runtime.beforeKillingLeftovers { await killing.pass() }
        let isOffered = Flag()
        let run = Task { try await node.run { isOffered.set() } }
        try await killing.waitForArrival()
        #expect(try await node.fixture.store.listWorkers().live.isEmpty)
        #expect(!isOffered.isSet)
        killing.open()
        try await run.value
        #expect(isOffered.isSet)
    }

    @Test func underANewLeaseNothingOfTheOldOneIsLeft() async throws {
        try await node.run {
            let slot = try await node.slot()
            let killing = Gate()
            node.runtime.beforeKillingLeftovers { await killing.pass() }
            let key = node.fixture.store.keys.live(slot.ref)
            let lease = try #require(try await node.fixture.store.etcd.range(.key(key)).pairs.first?.lease)
            try await node.fixture.store.etcd.revoke(lease)
            try await node.passTime(until: "the loss is noticed") { killing.arrived == 1 }
            #expect(try await node.fixture.store.listWorkers().live.isEmpty)
            killing.open()
            try await node.passTime(until: "a new incarnation") { node.isAnotherIncarnation(than: slot) }
        }
    }

    @Test func aWorkerDoesOneThingAtATimeAndAnswersQuestionsMeanwhile() async throws {
        let starting = Gate()
        try await node.run {
            let slot = try await node.slot()
            let claim = try await node.claimed("alice", on: slot)
            node.runtime.beforeStart { _ in await starting.pass() }
            let start = Task { try await slot.start(node.workload("alice"), from: nil, claim.fences) }
            try await starting.waitForArrival()
            let snapshot = Snapshot.external(SnapshotURI("file:///s/1"))
            // Every call from here on is answered though the start has not ended, and none acts.
            for number in 1...3 {
                let later = node.later(claim, by: Int64(number) * 10)
                #expect(try await slot.start(node.workload("alice"), from: nil, later).state == .busy)
                #expect(try await slot.checkpoint(to: snapshot, later).state == .busy)
                #expect(try await slot.stop(later).state == .busy)
                #expect(try await slot.status(later).state == .busy)
            }
            #expect(starting.arrived == 1)
            starting.open()
            #expect(try await start.value.state == .running)
        }
    }

    @Test func anActorIsNotKilledByAnOlderStateThanTheOneInWhichItBelongedHere() async throws {
        node.etcd.deliver { _ in false }
        try await node.run {
            let slot = try await node.slot()
            let claim = try await node.started("alice", on: slot)
            // A watch that lags shows a time before the claim, up to the revision at which it was read.
            slot.take(nil, at: claim.binding.modRevision - 1)
            slot.take(nil, at: claim.binding.modRevision)
            #expect(node.runtime.running == [claim.binding.epoch])
            slot.take(nil, at: claim.binding.modRevision + 1)
            #expect(node.runtime.running.isEmpty)
        }
    }

    @Test func aClaimThatGoesDuringTheStartIsNoticedWhenTheStartIsDone() async throws {
        node.etcd.deliver { _ in false }
        let starting = Gate()
        try await node.run {
            let slot = try await node.slot()
            let claim = try await node.claimed("alice", on: slot)
            node.runtime.beforeStart { _ in await starting.pass() }
            let start = Task { try await slot.start(node.workload("alice"), from: nil, claim.fences) }
            try await starting.waitForArrival()
            slot.take(nil, at: claim.binding.modRevision + 1)
            // What comes late is nothing new.
            slot.take(claim.binding, at: claim.binding.modRevision)
            starting.open()
            _ = await start.result
            try await eventually("it is killed") {
                node.runtime.running.isEmpty && node.runtime.started == [claim.binding.epoch]
            }
        }
    }

    @Test func aWorkerIsRegisteredAnewOnlyOnceItsActorIsDead() async throws {
        let dying = Gate()
        try await node.run {
            let slot = try await node.slot()
            let claim = try await node.started("alice", on: slot)
            // Killing takes its time, also when whoever does it is cancelled.
            node.runtime.afterKill { await uncancelled { await dying.pass() } }
            _ = try await node.fixture.store.revoke(claim)
            try await dying.waitForArrival()
            #expect(try await node.fixture.store.presence(of: slot.ref) == slot.presence)
            dying.open()
            try await node.passTime(until: "a new incarnation") { node.isAnotherIncarnation(than: slot) }
        }
    }
}
