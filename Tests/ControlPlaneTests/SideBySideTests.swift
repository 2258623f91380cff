import ControlPlane
import Etcd
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Two versions at the same time, as while an upgrade goes on: this one, and a next one that has a field more in each record.
@Suite struct SideBySideTests {
    /// Who is of the next version, beside one of two replicas.
    enum Newer: CaseIterable { case replicaOnly, replicaAndNodes }

    @Test(arguments: Newer.allCases) func whatANewerVersionAddsGoesThroughTheHandsOfThisOneUnharmed(
        _ newer: Newer
    ) async throws {
        let store = try await TestEtcd.store()
        let cluster = try await TestCluster(
            store, nodeEtcd: newer == .replicaAndNodes ? NewerVersion.etcd(store.etcd) : nil)
        let fixture = cluster.fixture
        let ref = fixture.ref("alice")
        let newerStore = Store(etcd: NewerVersion.etcd(store.etcd), keys: store.keys)
        let second = ControlPlane(
            store: newerStore, nodes: cluster.nodes, environment: .test(), options: TestCluster.impatient)

        try await cluster.run {
            try await running(second.run) {
                try await eventually("the newer replica works") {
                    second.replica.hasSession && second.inventory.isListed
                }
                let node = try await cluster.addNode("first", workers: 1)
                try await eventually("the newer replica knows the worker") {
                    second.inventory.row(fixture.workerRef("first-0"))?.presence != nil
                }
                #expect(
                    try await hasNewField(store.keys.live(fixture.workerRef("first-0")), store)
                        == (newer == .replicaAndNodes))
                let alice = Actor(uid: "uid-alice", template: fixture.template.ref)
                _ = try await newerStore.createActor(ref, alice)
                let row = store.keys.actor(ref)
                #expect(try await hasNewField(row, store))

                // Each step of the one on what the other has left.
                let control = cluster.control
                #expect(try await control.resumeActor(ref).value.state.status == .running)
                #expect(try await hasNewField(row, store))
                #expect(try await second.pauseActor(ref).value.state.status == .paused)
                #expect(try await control.resumeActor(ref).value.state.status == .running)
                #expect(try await second.suspendActor(ref).value.state.status == .suspended)
                #expect(try await second.resumeActor(ref).value.state.status == .running)
                #expect(try await hasNewField(store.keys.bound(fixture.workerRef("first-0")), store))
                #expect(try await control.suspendActor(ref).value.state.status == .suspended)
                #expect(try await hasNewField(row, store))

                // And the promise, whoever of the two leads.
                _ = try await second.resumeActor(ref)
                cluster.stop(node)
                let released = try await eventualValue("alice is released") {
                    let actor = try await fixture.current("alice")
                    return actor.value.state == .suspended ? actor.value : nil
                }
                #expect(released.lastSnapshot != nil)
                #expect(try await hasNewField(row, store))
                #expect(try await store.binding(of: fixture.workerRef("first-0")) == nil)
            }
        }
    }

    @Test func aRecordOfALaterSchemaIsLeftAloneAndIsInNobodyElsesWay() async throws {
        var options = TestCluster.impatient
        options.sweepInterval = .milliseconds(100)
        let cluster = try await TestCluster(TestEtcd.store(), options: options)
        let (store, fixture) = (cluster.store, cluster.fixture)
        try await cluster.run {
            let node = try await cluster.addNode("node", workers: 2)
            for name in ["alice", "bob"] {
                _ = try await fixture.createActor(name)
                _ = try await cluster.control.resumeActor(fixture.ref(name))
            }
            let key = store.keys.actor(fixture.ref("alice"))
            let ours = try await value(at: key, store)
            var theirs = ours
            theirs[Codec.magic.count - 1] += 1
            try await put(theirs, at: key, store)

            cluster.stop(node)
            try await eventually("bob is released") { try await fixture.current("bob").value.state == .suspended }
            await #expect(throws: StoreError.self) { try await fixture.current("alice") }
            await #expect(throws: ControlError.self) { try await cluster.control.suspendActor(fixture.ref("alice")) }
            let left = try #require(try await store.etcd.range(.key(key)).pairs.first)
            // Created, claimed, run, and what we did.
            #expect(left.value == theirs && left.version == 4)
            let line = try #require(
                cluster.log.lines.first { $0.message == "an actor on a lost worker cannot be read and stays there" })
            let reason = "\(line.fields)"
            #expect(reason.contains("has schema 2") && reason.contains("run the version that has written it"))
            #expect(reason.contains("\(key)"))

            // It is not forgotten: when it can be read, it is released.
            try await put(ours, at: key, store)
            try await eventually("alice is released") { try await fixture.current("alice").value.state == .suspended }
        }
    }

    private func value(at key: Key, _ store: Store) async throws -> [UInt8] {
        try #require(try await store.etcd.range(.key(key)).pairs.first).value
    }

    private func hasNewField(_ key: Key, _ store: Store) async throws -> Bool {
        try await value(at: key, store).contains(sequence: NewerVersion.addition)
    }

    private func put(_ value: [UInt8], at key: Key, _ store: Store) async throws {
        _ = try await store.etcd.transaction(Transaction().then(.put(key, value)))
    }
}

/// What a version writes whose records have one field more, which says nothing to this one.
private enum NewerVersion {
    /// Field 1000, two bytes.
    static let addition: [UInt8] = [0xc2, 0x3e, 0x02, 0x2b, 0x31]

    static func etcd(_ base: any EtcdStore) -> InterceptedEtcd {
        let etcd = InterceptedEtcd(base)
        etcd.rewrite { transaction in
            let newer = Transaction().when(transaction.conditions)
                .then(transaction.success.map(added)).otherwise(transaction.failure.map(added))
            return transaction.isGuarded ? newer.guarded() : newer
        }
        return etcd
    }

    private static func added(_ operation: Transaction.Operation) -> Transaction.Operation {
        guard case .put(var request) = operation, request.value.starts(with: Codec.magic),
            !request.value.contains(sequence: addition)
        else { return operation }
        request.value += addition
        return .put(request)
    }
}

extension [UInt8] {
    fileprivate func contains(sequence: [UInt8]) -> Bool {
        indices.contains { self[$0...].starts(with: sequence) }
    }
}
