import Etcd
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// The transactions, one by one, against a real etcd.
@Suite struct StepTests {
    let etcd: InterceptedEtcd
    let fixture: StoreFixture
    var store: Store { fixture.store }

    init() async throws {
        let base = try await TestEtcd.store()
        etcd = InterceptedEtcd(base.etcd)
        fixture = try await StoreFixture(Store(etcd: etcd, keys: base.keys))
    }

    /// The rows of the conflict that `body` ends in.
    private func conflict(_ body: () async throws -> Void) async throws -> Rows {
        do {
            try await body()
        } catch StoreError.conflict(let rows) {
            return rows
        }
        throw DidNotHappen(description: "a conflict")
    }

    @Test func updateActorIsRefusedForARowThatHasChanged() async throws {
        let actor = try await fixture.createActor("alice")
        let second = try await store.updateActor(fixture.ref("alice"), from: actor, to: actor.value)
        #expect(second.version == 2 && second.createRevision == actor.createRevision)
        let rows = try await conflict {
            _ = try await store.updateActor(fixture.ref("alice"), from: actor, to: actor.value)
        }
        // The refusal brought the row as it is now.
        #expect(rows.actor == second)
        // A re-created actor has the same version 1, and is not taken for the old one.
        try await store.deleteActor(fixture.ref("alice"), second)
        let again = try await fixture.createActor("alice")
        #expect(again.version == actor.version)
        _ = try await conflict { _ = try await store.updateActor(fixture.ref("alice"), from: actor, to: actor.value) }
    }

    @Test func everyKeyThatAClaimComparesCanRefuseIt() async throws {
        let worker = try await fixture.register("worker")
        let taken = try await fixture.register("taken")
        let gone = try await fixture.register("gone")
        let alice = try await fixture.createActor("alice")
        _ = try await fixture.createActor("bob")
        try await fixture.running("bob", on: taken)
        try await store.etcd.revoke(gone.lease)
        let lease = try await fixture.lease()
        func claim(_ actor: Stored<Actor>, _ worker: StoreFixture.Worker) async throws -> Claim {
            try await store.claim(
                fixture.ref("alice"), actor, worker: worker.ref, presence: worker.presence,
                operation: fixture.operation(.resume), lease: lease)
        }
        #expect(try await conflict { _ = try await claim(alice, taken) }.binding?.value.actor == fixture.ref("bob"))
        #expect(try await conflict { _ = try await claim(alice, gone) }.presence == nil)
        let first = try await claim(alice, worker)
        #expect(first.token.revision == first.binding.epoch.revision)
        #expect(first.binding.value.incarnation == worker.presence.incarnation)
        let rows = try await conflict { _ = try await claim(alice, worker) }
        #expect(rows.actor == first.actor && rows.binding == first.binding && rows.operation?.token == first.token)
    }

    @Test func stepsOfAWorkflowAreRefusedWithoutItsOperation() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        let claim = try await fixture.resuming("alice", on: worker)
        _ = try await store.etcd.transaction(Transaction().then(.delete(store.keys.operation(claim.ref))))
        _ = try await conflict { _ = try await store.confirmRunning(claim, at: fixture.address) }
        _ = try await conflict { _ = try await store.undoResume(claim) }
        _ = try await conflict { _ = try await store.revoke(claim) }
        // Adopted, the steps go on under the new token, and the old one stays refused.
        let adopted = try await store.adopt(
            claim.ref, claim.actor, worker: claim.worker, binding: claim.binding,
            operation: fixture.operation(.adopt), lease: try await fixture.lease())
        #expect(adopted.token > claim.token)
        _ = try await conflict { _ = try await store.confirmRunning(claim, at: fixture.address) }
        #expect(try await store.confirmRunning(adopted, at: fixture.address).actor.value.status == .running)
    }

    @Test func aRevokedBindingRefusesEveryStepButTheRelease() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        let claim = try await fixture.resuming("alice", on: worker)
        let revoked = try await store.revoke(claim)
        #expect(revoked.binding.value.isRevoked && revoked.binding.epoch == claim.binding.epoch)
        _ = try await conflict { _ = try await store.confirmRunning(claim, at: fixture.address) }
        _ = try await conflict { _ = try await store.undoResume(claim) }
    }

    @Test func theReleaseIsRefusedWhileTheBoundIncarnationLives() async throws {
        let worker = try await fixture.register("worker")
        _ = try await fixture.createActor("alice")
        let actor = try await fixture.running("alice", on: worker)
        let binding = try #require(try await store.binding(of: worker.ref))
        let release = Release(
            worker: worker.ref, binding: binding, actor: actor,
            released: try actor.value.transition(.workerLost(atMilliseconds: 0)))
        guard case .refused(let losers) = try await store.release([release]) else {
            Issue.record("a living worker's actor was released")
            return
        }
        #expect(losers.keys.elementsEqual([worker.ref]))
        #expect(try await fixture.current("alice") == actor)
    }

    @Test func aFullBatchOfReleasesFitsIntoOneTransaction() async throws {
        let lease = try await fixture.lease()
        var releases: [Release] = []
        for number in 0..<Store.maximumReleases {
            let worker = try await fixture.register("worker-\(number)", lease: lease)
            _ = try await fixture.createActor("actor-\(number)")
            let actor = try await fixture.running("actor-\(number)", on: worker)
            releases.append(
                Release(
                    worker: worker.ref, binding: try #require(try await store.binding(of: worker.ref)), actor: actor,
                    released: try actor.value.transition(.workerLost(atMilliseconds: 0))))
        }
        try await store.etcd.revoke(lease)
        guard case .committed = try await store.release(releases) else {
            Issue.record("the batch was refused")
            return
        }
    }

    @Test(arguments: [false, true]) func aLostAnswerIsResolvedByWhatIsStored(isDeletion: Bool) async throws {
        let actor = try await fixture.createActor("alice")
        let once = Once()
        etcd.afterWrite { _ in
            if once.isFirst() {
                throw EtcdError(code: .unavailable, operation: "", endpoint: "", text: "answer lost", outcome: .unknown)
            }
        }
        if isDeletion {
            try await store.deleteActor(fixture.ref("alice"), actor)
            #expect(try await store.actor(fixture.ref("alice")) == nil)
        } else {
            let next = try await store.updateActor(fixture.ref("alice"), from: actor, to: actor.value)
            #expect(try await fixture.current("alice") == next)
            #expect(next.version == 2)
        }
    }

    @Test func aLostAnswerAndAnotherWriterIsAConflict() async throws {
        let actor = try await fixture.createActor("alice")
        let once = Once()
        let fixture = fixture
        etcd.afterWrite { _ in
            guard once.isFirst() else { return }
            // Between the write whose answer is lost and its repetition somebody else writes.
            let now = try await fixture.current("alice")
            var changed = now.value
            changed.workerSelector = Selector(matchLabels: ["who": "else"])
            _ = try await fixture.store.updateActor(fixture.ref("alice"), from: now, to: changed)
            throw EtcdError(code: .unavailable, operation: "", endpoint: "", text: "answer lost", outcome: .unknown)
        }
        _ = try await conflict {
            _ = try await store.updateActor(fixture.ref("alice"), from: actor, to: actor.value)
        }
    }

    private func loseFirstAnswer(after change: @escaping @Sendable () async throws -> Void) {
        let once = Once()
        etcd.afterWrite { _ in
            guard once.isFirst() else { return }
            try await change()
            throw EtcdError(code: .unavailable, operation: "", endpoint: "", text: "answer lost", outcome: .unknown)
        }
    }

    @Test func aCreationWhoseAnswerIsLostIsFound() async throws {
        let actor = Actor(uid: "u", template: fixture.template.ref)
        etcd.resetCounts()
        loseFirstAnswer {}
        let outcome = try await store.createActor(fixture.ref("alice"), actor)
        #expect(outcome == .created(try await fixture.current("alice")))
        #expect(etcd.counts.writeTransactions == 1)
    }

    @Test func aCreationIsNotRepeatedOverADeletion() async throws {
        let (fixture, keys) = (fixture, store.keys)
        let (actor, pool, template) = (fixture.ref("alice"), PoolRef(namespace: "n", name: "p"), fixture.template)
        var other = template
        other.ref = TemplateRef(namespace: "n", name: "t")
        let creations: [(Key, @Sendable () async throws -> Void)] = [
            (
                keys.actor(actor),
                { [store, template] in
                    _ = try await store.createActor(actor, Actor(uid: "u", template: template.ref))
                }
            ),
            (keys.atespace("team"), { [store] in _ = try await store.createAtespace("team", Atespace(uid: "u")) }),
            (
                keys.pool(pool),
                { [store] in
                    _ = try await store.putPool(WorkerPool(ref: pool, replicas: 1, sandboxClass: .process), over: nil)
                }
            ),
            (keys.template(other.ref), { [store, other] in _ = try await store.createTemplate(other) }),
        ]
        for (key, create) in creations {
            // Applied, and deleted by somebody else before the client hears of it.
            loseFirstAnswer { _ = try await fixture.store.etcd.transaction(Transaction().then(.delete(key))) }
            await #expect(throws: StoreError.self, "\(key)") { try await create() }
            #expect(try await fixture.store.etcd.range(.key(key)).pairs.isEmpty, "\(key)")
        }
    }

    @Test func aPutUnderADeadLeaseIsALostSession() async throws {
        let worker = try await fixture.register("worker")
        let actor = try await fixture.createActor("alice")
        let lease = try await fixture.lease()
        try await store.etcd.revoke(lease)
        let error = await #expect(throws: StoreError.self) {
            try await store.claim(
                fixture.ref("alice"), actor, worker: worker.ref, presence: worker.presence,
                operation: fixture.operation(.resume), lease: lease)
        }
        #expect(error == .sessionLost)
    }

    @Test func aValueThatIsTooLargeIsRefusedBeforeItIsSent() async throws {
        var actor = Actor(uid: "u", template: fixture.template.ref)
        actor.lastSnapshot = SnapshotURI("file:///" + String(repeating: "a", count: Codec.maximumSize))
        let error = await #expect(throws: StoreError.self) { try await store.createActor(fixture.ref("big"), actor) }
        guard case .tooLarge(let key, _) = error else {
            Issue.record("expected tooLarge, got \(String(describing: error))")
            return
        }
        #expect(key.hasSuffix("/big"))
    }

    @Test func aPresenceIsNeverOverwritten() async throws {
        let worker = try await fixture.register("worker")
        guard
            case .taken(let holder, let lease) = try await store.register(
                worker.ref, worker.presence.value, lease: try await fixture.lease())
        else {
            Issue.record("the presence was overwritten")
            return
        }
        #expect(holder == worker.presence && lease == worker.lease)
        // Withdrawn only as the incarnation that is meant.
        try await store.withdraw(worker.ref, Incarnation(1))
        #expect(try await store.presence(of: worker.ref) == worker.presence)
        try await store.withdraw(worker.ref, worker.presence.incarnation)
        #expect(try await store.presence(of: worker.ref) == nil)
    }
}
