import ControlPlane
import GRPC
import NodeAgent
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Resumes that find no worker, or one that cannot start the actor.
@Suite struct CapacityTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }
    var control: ControlPlane { cluster.control }

    init() async throws { cluster = try await TestCluster(TestEtcd.store()) }

    private func resumed(_ name: String, wait: Duration = .zero) async throws -> Stored<Actor> {
        try await control.resumeActor(fixture.ref(name), capacityWait: wait)
    }

    private func waiting(_ count: Int) async throws {
        try await eventually("\(count) wait for a worker") { control.inventory.waitingForWorkers == count }
    }

    @Test func whoWaitsGetsAFreedWorkerInTheOrderOfArrivalAndWakesAlone() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            for name in ["holder", "first", "second"] { _ = try await fixture.createActor(name) }
            _ = try await resumed("holder")
            let order = Collected<String>()
            try await withThrowingTaskGroup { group in
                for (index, name) in ["first", "second"].enumerated() {
                    group.addTask {
                        _ = try await resumed(name, wait: .seconds(20))
                        order.append(name)
                        _ = try await control.suspendActor(fixture.ref(name))
                    }
                    try await waiting(index + 1)
                }
                _ = try await control.suspendActor(fixture.ref("holder"))
                try await group.waitForAll()
            }
            #expect(order.all == ["first", "second"])
        }
    }

    @Test func nobodyWaitsForeverOrInAQueueThatIsFull() async throws {
        var options = TestCluster.impatient
        options.capacityQueue = 1
        let cluster = try await TestCluster(TestEtcd.store(), options: options)
        let suite = CapacityTests(cluster: cluster)
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            for name in ["holder", "first", "second"] { _ = try await cluster.fixture.createActor(name) }
            _ = try await suite.resumed("holder")
            await suite.expectNoFreeWorkers { try await suite.resumed("first", wait: .milliseconds(50)) }
            let first = Task { try await suite.resumed("first", wait: .seconds(60)) }
            try await suite.waiting(1)
            await suite.expectNoFreeWorkers { try await suite.resumed("second", wait: .seconds(60)) }
            // Who goes away makes room.
            first.cancel()
            _ = await first.result
            #expect(cluster.control.inventory.waitingForWorkers == 0)
        }
    }

    private init(cluster: TestCluster) { self.cluster = cluster }

    private func expectNoFreeWorkers(_ body: @Sendable () async throws -> Stored<Actor>) async {
        let error = await #expect(throws: ControlError.self) { _ = try await body() }
        guard case .noFreeWorkers = error else {
            Issue.record("expected noFreeWorkers, got \(String(describing: error))")
            return
        }
    }

    @Test func aWorkerThatWasKeptForAnActorThatIsGoneIsGivenToTheNext() async throws {
        try await cluster.run {
            _ = try await cluster.addNode("a", workers: 1)
            for name in ["holder", "gone", "next"] { _ = try await fixture.createActor(name) }
            _ = try await resumed("holder")
            let gone = Task { try await resumed("gone", wait: .seconds(60)) }
            try await waiting(1)
            // While it waits nobody has it in hand, so it can be deleted.
            try await fixture.store.deleteActor(fixture.ref("gone"), try await fixture.current("gone"))
            _ = try await control.suspendActor(fixture.ref("holder"))
            await #expect(throws: ControlError.self) { try await gone.value }
            #expect(try await resumed("next").value.status == .running)
        }
    }

    @Test func aNewWorkerServesWhoWaits() async throws {
        try await cluster.run {
            _ = try await fixture.createActor("alice")
            async let alice = resumed("alice", wait: .seconds(20))
            try await waiting(1)
            _ = try await cluster.addNode("a", workers: 1)
            #expect(try await alice.value.status == .running)
        }
    }

    @Test func theReasonOfAFailedResumeIsKeptUntilItRunsAgainAndTheWorkerIsAvoided() async throws {
        try await cluster.run {
            let broken = try await cluster.addNode("a", workers: 1)
            broken.runtime.failStarts(with: RuntimeFailure(.failedPrecondition, "the disk is on fire"))
            _ = try await fixture.createActor("alice")
            await #expect(throws: ControlError.self) { try await resumed("alice") }
            let failure = try #require(try await fixture.current("alice").value.lastFailure)
            #expect(failure.worker == fixture.workerRef("a-0") && failure.message.contains("the disk is on fire"))
            // By chance alone it would be tried again half of the time, ten times in a row.
            _ = try await cluster.addNode("b", workers: 1)
            let actor = try await resumed("alice")
            #expect(actor.value.state.assignment?.worker == fixture.workerRef("b-0"))
            #expect(actor.value.lastFailure == nil)
        }
    }

    @Test func anAvoidedWorkerIsBetterThanNone() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            node.runtime.failStarts(with: RuntimeFailure(.failedPrecondition, "not yet"))
            _ = try await fixture.createActor("alice")
            await #expect(throws: ControlError.self) { try await resumed("alice") }
            node.runtime.failStarts(with: nil)
            #expect(try await resumed("alice").value.status == .running)
        }
    }

    @Test func whoWaitsForAnotherResumeGetsItsResult() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 2)
            _ = try await fixture.createActor("alice")
            let alice = fixture.ref("alice")
            for isFailing in [true, false] {
                let gate = Gate()
                node.runtime.failStarts(with: isFailing ? RuntimeFailure(.failedPrecondition, "no such image") : nil)
                node.runtime.beforeStart { _ in await gate.pass() }
                let first = Task { try await control.resumeActor(alice) }
                try await gate.waitForArrival()
                let impatient = await #expect(throws: ControlError.self) { try await control.resumeActor(alice) }
                guard case .operationInProgress = impatient else { throw try #require(impatient) }
                let second = Task {
                    try await control.waitingForOthers(alice, true, resumes: true) { () throws(ControlError) in
                        try await control.resumeActor(alice)
                    }
                }
                gate.open()
                switch (await first.result, await second.result) {
                case (.success(let first), .success(let second)): #expect(first == second && !isFailing)
                case (.failure, .failure): #expect(isFailing)
                case (let first, let second): Issue.record("\(first) and \(second)")
                }
            }
        }
    }

    @Test func whoWaitsToSuspendAnActorDoesNotFailWithSomebodyElsesResume() async throws {
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            _ = try await fixture.createActor("alice")
            let alice = fixture.ref("alice")
            let gate = Gate()
            node.runtime.failStarts(with: RuntimeFailure(.failedPrecondition, "no such image"))
            node.runtime.beforeStart { _ in await gate.pass() }
            let resume = Task { try await control.resumeActor(alice) }
            try await gate.waitForArrival()
            let suspend = Task {
                try await control.waitingForOthers(alice, true) { () throws(ControlError) in
                    try await control.suspendActor(alice)
                }
            }
            gate.open()
            await #expect(throws: ControlError.self) { try await resume.value }
            #expect(try await suspend.value.value.state == .suspended)
        }
    }
}
