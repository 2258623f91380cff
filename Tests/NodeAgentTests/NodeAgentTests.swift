import Etcd
import GRPC
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// The agent with its registration, on a real etcd, with pretended actors.
@Suite struct NodeAgentTests {
    let fixture: StoreFixture
    let runtime = InstantRuntime()
    let watchdog: InstantWatchdog
    let addresses = AddressNotes()

    init() async throws {
        fixture = try await StoreFixture(TestEtcd.store())
        watchdog = InstantWatchdog(runtime)
    }

    private func agent(
        _ slots: WorkerSlots, directoryID: String = "directory", bootID: String = "boot", workers: Int = 1,
        leaseTimeToLive: Duration = .seconds(60), takeoverLimit: Duration = .seconds(30), etcd: (any EtcdStore)? = nil,
        log: Log = .none
    ) -> NodeAgent {
        let options = NodeOptions(
            node: "node", pool: fixture.pool.ref,
            workers: workers, addresses: .pretended, agentAddress: "here:1",
            leaseTimeToLive: leaseTimeToLive, leaseMargin: leaseTimeToLive / 5, takeoverLimit: takeoverLimit)
        let store = Store(etcd: etcd ?? fixture.store.etcd, keys: fixture.store.keys)
        return NodeAgent(
            options: options, slots: slots, store: store, runtime: runtime, watchdog: watchdog,
            environment: .test(log: log), bootID: bootID, directoryID: directoryID,
            addressLedger: addresses)
    }

    private var worker: WorkerRef { fixture.workerRef("node-0") }

    private func slot(_ slots: WorkerSlots) async throws -> WorkerSlot {
        try await eventualValue("the worker is registered") { slots.slot(of: worker) }
    }

    private func held(_ slot: WorkerSlot) -> StoreFixture.Worker {
        StoreFixture.Worker(ref: slot.ref, presence: slot.presence, lease: LeaseID(1))
    }

    private func workload(_ name: String) -> Workload {
        Workload(
            actor: fixture.ref(name), actorUID: "uid-\(name)", template: fixture.template.ref,
            containers: fixture.template.containers)
    }

    @Test func aRegistrationWhoseAnswerGotLostIsFoundAndIsNotMadeAgain() async throws {
        let slots = WorkerSlots()
        let etcd = InterceptedEtcd(fixture.store.etcd)
        let log = LogRecorder()
        let once = Once()
        let live = fixture.store.keys.live(worker)
        etcd.afterWrite { transaction in
            let registers = transaction.success.contains {
                if case .put(let put) = $0 { put.key == live } else { false }
            }
            guard registers, once.isFirst() else { return }
            // Nor can anybody look what became of it.
            etcd.cutOff()
            throw EtcdError(code: .other, operation: "", endpoint: "", text: "time is up", outcome: .unknown)
        }
        try await running(agent(slots, etcd: etcd, log: log.log).run) {
            try await eventually("it cannot register") { log.contains(.warning, "cannot register a worker") }
            let registered = try #require(try await fixture.store.presence(of: worker))
            etcd.reconnect()
            #expect(try await slot(slots).presence == registered)
            #expect(try await fixture.store.presence(of: worker) == registered)
        }
    }

    @Test func workersArePresentWhileTheAgentRunsAndGoneWhenItHasStopped() async throws {
        let slots = WorkerSlots()
        try await running(agent(slots, workers: 2).run) {
            try await eventually("both are present") { try await fixture.store.listWorkers().live.count == 2 }
            let presence = try #require(try await fixture.store.presence(of: worker)).value
            #expect(presence.agentAddress == "here:1" && presence.node == "node" && presence.sandboxClass == .process)
        }
        #expect(try await fixture.store.listWorkers().live.isEmpty)
    }

    @Test func anActorIsStartedOnlyUnderAClaimThatStands() async throws {
        let slots = WorkerSlots()
        try await running(agent(slots).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming("alice", on: held(slot))
            var forged = claim.fences
            // An epoch that no binding has.
            forged.epoch = Epoch(claim.binding.epoch.revision - 1)
            let error = await #expect(throws: NodeFailure.self) {
                try await slot.start(workload("alice"), from: nil, forged)
            }
            #expect(error?.receipt?.state == .notRunning)
            #expect(runtime.started.isEmpty)
            #expect(try await slot.start(workload("alice"), from: nil, claim.fences).state == .running)
            #expect(runtime.running == [claim.binding.epoch])
        }
    }

    @Test func aCallForAnotherIncarnationIsRefusedWithoutAReceipt() async throws {
        let slots = WorkerSlots()
        try await running(agent(slots).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            var fences = try await fixture.resuming("alice", on: held(slot)).fences
            fences.incarnation = Incarnation(fences.incarnation.revision - 1)
            let start = await #expect(throws: NodeFailure.self) {
                try await slot.start(workload("alice"), from: nil, fences)
            }
            let status = await #expect(throws: NodeFailure.self) { try await slot.status(fences) }
            #expect(start?.receipt == nil && status?.receipt == nil)
            #expect(start?.status.code == .failedPrecondition)
            #expect(runtime.started.isEmpty)
        }
    }

    @Test func aRevokedClaimIsNotStarted() async throws {
        let slots = WorkerSlots()
        try await running(agent(slots).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming("alice", on: held(slot))
            _ = try await fixture.store.revoke(claim)
            await #expect(throws: NodeFailure.self) { try await slot.start(workload("alice"), from: nil, claim.fences) }
            #expect(runtime.started.isEmpty)
            // The worker is registered anew, as another incarnation.
            try await eventually("a new incarnation") {
                guard let now = slots.slot(of: worker) else { return false }
                return now.presence.incarnation > slot.presence.incarnation
            }
        }
    }

    @Test func aClaimRevokedBeforeTheAgentKnowsOfItsRegistrationIsNotMissed() async throws {
        let slots = WorkerSlots()
        let etcd = InterceptedEtcd(fixture.store.etcd)
        let keys = fixture.store.keys
        let (isWatching, isShown, isTaken) = (Flag(), Flag(), Flag())
        etcd.beforeWatch { range, _ in
            if range == keys.bindings(in: fixture.pool.ref) { isWatching.set() }
        }
        let (bound, other) = (keys.bound(worker), keys.bound(fixture.workerRef("other")))
        etcd.deliver { event in
            // Written once when it was claimed, and once more when it was revoked.
            if case .put(let pair, _) = event, pair.key == bound, pair.version == 2 { isShown.set() }
            if event.key == other { isTaken.set() }
            return true
        }
        let answer = Gate()
        etcd.afterWrite { _ in await answer.pass() }
        try await running(agent(slots, etcd: etcd).run) {
            try await answer.waitForArrival()
            try await eventually("the bindings are watched") { isWatching.isSet }
            let presence = try #require(try await fixture.store.presence(of: worker))
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming(
                "alice", on: StoreFixture.Worker(ref: worker, presence: presence, lease: LeaseID(1)))
            _ = try await fixture.store.revoke(claim)
            try await eventually("the watch has shown it") { isShown.isSet }
            // The watch is read on when what it has shown has been dealt with.
            _ = try await fixture.store.etcd.transaction(Transaction().then(.put(other, [])))
            try await eventually("the agent has taken it in") { isTaken.isSet }
            #expect(slots.all.isEmpty)
            answer.open()
            try await eventually("a new incarnation") {
                guard let now = slots.slot(of: worker) else { return false }
                return now.presence.incarnation > presence.incarnation
            }
        }
    }

    private func deleteBinding() async throws {
        _ = try await fixture.store.etcd.transaction(Transaction().then(.delete(fixture.store.keys.bound(worker))))
    }

    @Test func whenTheBindingGoesTheActorIsKilled() async throws {
        let slots = WorkerSlots()
        try await running(agent(slots).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming("alice", on: held(slot))
            _ = try await slot.start(workload("alice"), from: nil, claim.fences)
            // As nobody but an operator's mistake would.
            try await deleteBinding()
            try await eventually("the actor is killed") { runtime.running.isEmpty }
        }
    }

    @Test func aCheckpointsReceiptIsKeptUntilTheBindingGoes() async throws {
        let slots = WorkerSlots()
        try await running(agent(slots).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            let resume = try await fixture.resuming("alice", on: held(slot))
            _ = try await slot.start(workload("alice"), from: nil, resume.fences)
            _ = try await fixture.store.confirmRunning(resume, at: fixture.address)
            let claim = try await fixture.suspending("alice", on: held(slot))
            let snapshot = Snapshot.external(SnapshotURI("file:///s/1"))
            #expect(try await slot.checkpoint(to: snapshot, claim.fences).state == .checkpointed(snapshot))
            // A repeated one returns it, and does not write anything.
            runtime.failCheckpoints(with: RuntimeFailure(.internal, "it is written already"))
            #expect(try await slot.checkpoint(to: snapshot, claim.fences).state == .checkpointed(snapshot))
            #expect(try await slot.status(claim.fences).state == .checkpointed(snapshot))
            try await deleteBinding()
            try await eventually("the receipt is forgotten") {
                try await slot.status(claim.fences).state == .notRunning
            }
        }
    }

    @Test func anActorThatDiesInItsCheckpointIsNoticed() async throws {
        let slots = WorkerSlots()
        let etcd = InterceptedEtcd(fixture.store.etcd)
        let isReadyShown = Flag()
        etcd.deliver { event in
            // Written once when it was claimed, and once more when it became ready.
            if case .put(let pair, _) = event, pair.version == 2 { isReadyShown.set() }
            return true
        }
        try await running(agent(slots, etcd: etcd).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            let resume = try await fixture.resuming("alice", on: held(slot))
            _ = try await slot.start(workload("alice"), from: nil, resume.fences)
            _ = try await fixture.store.confirmRunning(resume, at: fixture.address)
            try await eventually("the watch has shown the binding ready") { isReadyShown.isSet }
            let claim = try await fixture.suspending("alice", on: held(slot))
            runtime.beforeCheckpoint { [runtime] in runtime.die(claim.binding.epoch) }
            runtime.failCheckpoints(with: RuntimeFailure(.internal, "it is gone"))
            let error = await #expect(throws: NodeFailure.self) {
                try await slot.checkpoint(to: .external(SnapshotURI("file:///s/1")), claim.fences)
            }
            #expect(error?.receipt?.state == .notRunning)
            // A ready binding, and nothing that runs under it.
            try await eventually("a new incarnation") {
                guard let now = slots.slot(of: worker) else { return false }
                return now.presence.incarnation > slot.presence.incarnation
            }
        }
    }

    @Test func aStopThatTakesItsTimeIsNotSaidToBeOverBeforeItIs() async throws {
        let slots = WorkerSlots()
        let gate = Gate()
        try await running(agent(slots).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            let first = try await fixture.resuming("alice", on: held(slot))
            _ = try await slot.start(workload("alice"), from: nil, first.fences)
            runtime.afterKill { await gate.pass() }
            let stop = Task { try await slot.stop(first.fences) }
            try await gate.waitForArrival()
            // Its process has ended, and what is left of it has not.
            #expect(runtime.running.isEmpty)
            #expect(try await slot.status(first.fences).state == .busy)
            gate.open()
            #expect(try await stop.value.state == .notRunning)
            #expect(try await slot.status(first.fences).state == .notRunning)
            _ = try await fixture.store.undoResume(first)
            let second = try await fixture.resuming("alice", on: held(slot))
            _ = try await slot.start(workload("alice"), from: nil, second.fences)
            #expect(runtime.running == [second.binding.epoch])
        }
        // The agent has stopped, and killed what it knew of.
        #expect(runtime.running.isEmpty)
    }

    @Test func aReadyBindingWithoutAnActorMeansANewRegistration() async throws {
        let slots = WorkerSlots()
        try await running(agent(slots).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming("alice", on: held(slot))
            _ = try await slot.start(workload("alice"), from: nil, claim.fences)
            // It dies before the control plane has written down that it runs.
            runtime.die(claim.binding.epoch)
            try await eventually("the worker has noticed") {
                try await slot.status(
                    Fences(incarnation: claim.fences.incarnation, epoch: Epoch(1), operation: claim.token)
                )
                .state == .notRunning && runtime.running.isEmpty
            }
            #expect(slots.slot(of: worker)?.presence.incarnation == slot.presence.incarnation)
            _ = try await fixture.store.confirmRunning(claim, at: fixture.address)
            try await eventually("a new incarnation") {
                guard let now = slots.slot(of: worker) else { return false }
                return now.presence.incarnation > slot.presence.incarnation
            }
        }
    }

    @Test func startsGoOnWhenTheCallerGoesAway() async throws {
        let slots = WorkerSlots()
        try await running(agent(slots).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming("alice", on: held(slot))
            let gate = Gate()
            runtime.beforeStart { _ in
                await gate.pass()
            }
            let workload = workload("alice")
            let call = Task { try await slot.start(workload, from: nil, claim.fences) }
            try await gate.waitForArrival()
            call.cancel()
            let error = await #expect(throws: NodeFailure.self) { try await call.value }
            // Nothing is certain for the caller; who asks is told.
            #expect(error?.receipt == nil)
            var asking = claim.fences
            asking.operation = OperationToken(claim.token.revision + 5)
            #expect(try await slot.status(asking).state == .busy)
            gate.open()
            try await eventually("it runs") { try await slot.status(asking).state == .running }
        }
    }

    // MARK: Registration

    @Test func aPresenceOfItsOwnFromBeforeIsTakenOverAtOnce() async throws {
        // As an agent that was killed leaves it: same boot, same directory.
        let lease = try await fixture.lease()
        var presence = try await fixture.register("elsewhere").presence.value
        (presence.bootID, presence.directoryID) = ("boot", "directory")
        _ = try await fixture.store.register(worker, presence, lease: lease)
        let slots = WorkerSlots()
        try await running(agent(slots).run) { _ = try await slot(slots) }
    }

    @Test func aPresenceOfAnotherAgentIsWaitedFor() async throws {
        let holder = try await fixture.register("node-0")
        let log = LogRecorder()
        let slots = WorkerSlots()
        let etcd = InterceptedEtcd(fixture.store.etcd)
        try await running(agent(slots, directoryID: "other", etcd: etcd, log: log.log).run) {
            try await eventually("it has tried twice") { etcd.counts.writeTransactions >= 2 }
            #expect(slots.slot(of: worker) == nil)
            try await fixture.store.etcd.revoke(holder.lease)
            _ = try await slot(slots)
        }
    }

    @Test func aPresenceOfAnotherAgentThatStaysEndsTheAgentWithItsName() async throws {
        _ = try await fixture.register("node-0", agent: "holder:7")
        let error = await #expect(throws: RegistrationError.self) {
            try await agent(WorkerSlots(), directoryID: "other", takeoverLimit: .milliseconds(200)).run()
        }
        #expect("\(try #require(error))".contains("holder:7"))
    }

    @Test func aLeaseThatDiesDuringARegistrationIsReplaced() async throws {
        let slots = WorkerSlots()
        let etcd = InterceptedEtcd(fixture.store.etcd)
        let once = Once()
        etcd.beforeWrite { [fixture] transaction in
            guard once.isFirst(), case .put(let put) = transaction.success.first, let lease = put.lease else { return }
            try await fixture.store.etcd.revoke(lease)
        }
        try await running(agent(slots, etcd: etcd).run) { _ = try await slot(slots) }
        #expect(!once.isFirst())
    }

    @Test func aRegistrationThatEtcdRefusesIsTriedAgain() async throws {
        let slots = WorkerSlots()
        let etcd = InterceptedEtcd(fixture.store.etcd)
        let log = LogRecorder()
        let count = Counter()
        etcd.beforeWrite { _ in
            guard count.next() < 2 else { return }
            throw EtcdError(
                code: .noSpace, operation: "", endpoint: "", text: "database space exceeded", outcome: .notApplied)
        }
        try await running(agent(slots, etcd: etcd, log: log.log).run) { _ = try await slot(slots) }
        #expect(log.contains(.warning, "cannot register a worker"))
    }

    @Test func whenTheLeaseIsLostTheActorsAreKilledAndTheWorkersComeBackAsOthers() async throws {
        let slots = WorkerSlots()
        try await running(agent(slots, leaseTimeToLive: .seconds(5)).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming("alice", on: held(slot))
            _ = try await slot.start(workload("alice"), from: nil, claim.fences)
            let key = fixture.store.keys.live(worker)
            let lease = try #require(try await fixture.store.etcd.range(.key(key)).pairs.first?.lease)
            try await fixture.store.etcd.revoke(lease)
            try await eventually("the actor is killed") { runtime.running.isEmpty }
            try await eventually("a new incarnation") {
                guard let now = slots.slot(of: worker) else { return false }
                return now.presence.incarnation > slot.presence.incarnation
            }
        }
    }

    @Test func aLostLeaseKillsAnActorThatIsBeingCheckpointedWithoutWaitingForTheCheckpoint() async throws {
        let slots = WorkerSlots()
        let mayEnd = Flag()
        try await running(agent(slots, leaseTimeToLive: .seconds(5)).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming("alice", on: held(slot))
            _ = try await slot.start(workload("alice"), from: nil, claim.fences)
            let isWriting = Flag()
            runtime.beforeCheckpoint {
                isWriting.set()
                // As a write to a disk, which does not hear of a cancellation.
                await uncancelled { try? await eventually("the test lets it end") { mayEnd.isSet } }
            }
            let checkpoint = Task { try await slot.checkpoint(to: .external(SnapshotURI("file:///s/1")), claim.fences) }
            try await eventually("it is being written") { isWriting.isSet }
            let key = fixture.store.keys.live(worker)
            let lease = try #require(try await fixture.store.etcd.range(.key(key)).pairs.first?.lease)
            try await fixture.store.etcd.revoke(lease)
            try await eventually("the actor is dead") { runtime.running.isEmpty }
            #expect(slots.slot(of: worker) === slot)
            mayEnd.set()
            _ = await checkpoint.result
        }
    }

    @Test func anAgentThatIsCutOffFreezesItsActorsBeforeTheLeaseCanHaveExpired() async throws {
        let etcd = InterceptedEtcd(fixture.store.etcd)
        let slots = WorkerSlots()
        try await running(agent(slots, leaseTimeToLive: .seconds(5), etcd: etcd).run) {
            let slot = try await slot(slots)
            _ = try await fixture.createActor("alice")
            let claim = try await fixture.resuming("alice", on: held(slot))
            _ = try await slot.start(workload("alice"), from: nil, claim.fences)
            etcd.cutOff()
            try await eventually("the actor is frozen") { runtime.frozen == [claim.binding.epoch] }
            // At that moment the lease, and with it the presence, is still there.
            #expect(try await fixture.store.presence(of: worker)?.incarnation == slot.presence.incarnation)
        }
    }
}
