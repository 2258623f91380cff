import Etcd
import GRPC
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Workers on which nothing can be started.
@Suite struct WithdrawTests {
    let node: NodeHarness

    init() async throws { node = try await NodeHarness() }

    private let fault = RuntimeFailure(.internal, "no process can be started")

    @Test func aWorkerOnWhichNothingCanBeStartedIsWithdrawnWithTheReasonAndComesBackWhenASelfTestPasses() async throws {
        try await node.run(workers: 2) {
            let slot = try await node.slot()
            let claim = try await node.claimed("alice", on: slot)
            node.runtime.failStarts(with: RuntimeFailure(.internal, "it died", mayLieInWorker: true))
            node.runtime.failSelfTests(with: fault)
            let error = await #expect(throws: NodeFailure.self) {
                try await slot.start(node.workload("alice"), from: nil, claim.fences)
            }
            #expect(error?.receipt?.state == .notRunning)
            #expect(
                error?.status.message
                    == "it died; the worker is withdrawn, since nothing can be started on it: no process can be started"
            )
            try await eventually("it is not offered any more") {
                try await node.fixture.store.presence(of: slot.ref) == nil
            }
            #expect(node.slots.all.map(\.ref.pod) == ["node-1"] && !node.readiness.isReady)
            try await eventually("that is said") { reasons("withdrew a worker") == ["no process can be started"] }
            let tests = node.runtime.selfTests
            try await node.passTime(until: "three more self-tests") { node.runtime.selfTests >= tests + 3 }
            #expect(try await node.fixture.store.presence(of: slot.ref) == nil)
            #expect(reasons("a worker is not offered").allSatisfy { $0 == "no process can be started" })
            node.runtime.failSelfTests(with: nil)
            node.runtime.failStarts(with: nil)
            try await node.passTime(until: "it is offered again") { node.isAnotherIncarnation(than: slot) }
            #expect(node.readiness.isReady)
            // As the control plane releases it.
            _ = try await node.fixture.store.etcd.transaction(
                Transaction().then(.delete(node.fixture.store.keys.bound(slot.ref))))
            _ = try await node.started("bob", on: try await node.slot())
        }
    }

    @Test func aRegistrationThatLandsLateOnAWorkerThatIsNotFitIsWithdrawn() async throws {
        try await node.run {
            let slot = try await node.slot()
            let claim = try await node.claimed("alice", on: slot)
            node.runtime.failStarts(with: RuntimeFailure(.internal, "it died", mayLieInWorker: true))
            node.runtime.failSelfTests(with: fault)
            await #expect(throws: NodeFailure.self) {
                try await slot.start(node.workload("alice"), from: nil, claim.fences)
            }
            let store = node.fixture.store
            try await eventually("it is not offered any more") { try await store.presence(of: slot.ref) == nil }
            // An attempt to register it that was given up long ago.
            var late = slot.presence.value
            late.uid = "late"
            guard case .registered = try await store.register(slot.ref, late, lease: try await node.fixture.lease())
            else { throw DidNotHappen(description: "the name is taken") }
            try await node.passTime(until: "it is withdrawn") { try await store.presence(of: slot.ref) == nil }
            // That of another agent is left alone.
            late.directoryID = "another"
            _ = try await store.register(slot.ref, late, lease: try await node.fixture.lease())
            let tests = node.runtime.selfTests
            try await node.passTime(until: "two more self-tests") { node.runtime.selfTests >= tests + 2 }
            #expect(try await store.presence(of: slot.ref)?.value.uid == "late")
        }
    }

    private func reasons(_ message: String) -> [String] {
        node.log.lines.filter { $0.message.contains(message) }.compactMap { line in
            line.fields.first { $0.0 == "reason" }.flatMap { if case .string(let text) = $0.1 { text } else { nil } }
        }
    }

    @Test func aWorkerThatFailsItsSelfTestIsNotOfferedInTheFirstPlace() async throws {
        let node = node
        node.runtime.failSelfTests(with: fault)
        let offered = Flag()
        let run = Task { try await node.run { offered.set() } }
        try await eventually("it says why") { !reasons("a worker is not offered").isEmpty }
        #expect(try await node.fixture.store.presence(of: node.fixture.workerRef("node-0")) == nil)
        node.runtime.failSelfTests(with: nil)
        try await node.passTime(until: "it is registered") { offered.isSet }
        try await run.value
    }

    @Test func aFailureOfTheActorsOwnDoesNotTouchTheWorker() async throws {
        try await node.run {
            let slot = try await node.slot()
            let tests = node.runtime.selfTests
            // What the actor brings along.
            node.runtime.failStarts(with: RuntimeFailure(.dataLoss, "the snapshot is damaged"))
            let damaged = try await node.claimed("alice", on: slot)
            await #expect(throws: NodeFailure.self) {
                try await slot.start(node.workload("alice"), from: nil, damaged.fences)
            }
            #expect(node.runtime.selfTests == tests)
            _ = try await node.fixture.store.undoResume(damaged)
            // What could be either's, and turns out to be the actor's.
            node.runtime.failStarts(with: RuntimeFailure(.internal, "it died", mayLieInWorker: true))
            let dying = try await node.claimed("bob", on: slot)
            let error = await #expect(throws: NodeFailure.self) {
                try await slot.start(node.workload("bob"), from: nil, dying.fences)
            }
            #expect(error?.status.message == "it died")
            #expect(node.runtime.selfTests == tests + 1)
            _ = try await node.fixture.store.undoResume(dying)
            node.runtime.failStarts(with: nil)
            _ = try await node.started("carol", on: slot)
            #expect(node.slots.slot(of: slot.ref)?.presence == slot.presence)
        }
    }
}
