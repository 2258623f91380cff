import ControlPlane
import Etcd
import NodeAgent
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Several replicas of which one leads, and operations that nobody works on.
@Suite struct LeaderTests {
    let cluster: TestCluster
    var fixture: StoreFixture { cluster.fixture }

    init() async throws { cluster = try await TestCluster(TestEtcd.store()) }

    private struct Replica: Sendable {
        let control: ControlPlane
        let log = LogRecorder()

        init(_ cluster: TestCluster, timeToLive: Duration = .seconds(5), sweep: Duration = .seconds(5)) {
            var options = TestCluster.impatient
            options.leaseTimeToLive = timeToLive
            options.operationSweepInterval = sweep
            control = ControlPlane(
                store: cluster.fixture.store, nodes: cluster.nodes, environment: .test(log: log.log), options: options)
        }

        var leads: Bool { log.contains(.info, "leading") }
    }

    @Test func oneReplicaLeadsAndTheNextOneAtOnceWhenItStops() async throws {
        // Its session would live for a minute: a death could not be what hands over.
        let first = Replica(cluster, timeToLive: .seconds(60))
        let second = Replica(cluster)
        let running = Task { await first.control.run() }
        try await eventually("the first leads") { first.leads }
        try await TestKit.running({ await second.control.run() }) {
            try await eventually("the second waits") {
                try await fixture.store.etcd.range(
                    RangeRequest(.prefix(Key("\(fixture.store.keys.election)/")))
                ).pairs.count == 2
            }
            #expect(!second.leads)
            running.cancel()
            await running.value
            try await eventually("the second leads") { second.leads }
        }
    }

    /// Its candidate is in the queue, and it has not heard so; or it has left it for nothing.
    @Test(arguments: [true, false])
    func aCampaignThatFailsIsInNobodysWay(joinsUnheard: Bool) async throws {
        let election = Key("\(fixture.store.keys.election)/")
        let unreachable = EtcdError(
            // The client has given up trying again.
            code: .other, operation: "txn", endpoint: "test", text: "no answer", outcome: .unknown)
        let failures = Counter()
        @Sendable func isOfElection(_ transaction: Transaction) -> Bool { "\(transaction)".contains("\(election)") }
        if joinsUnheard {
            cluster.etcd.afterWrite { transaction in
                if isOfElection(transaction), failures.next() == 0 { throw unreachable }
            }
        } else {
            // It cannot see whether it is its turn, nor leave.
            cluster.etcd.beforeWatch { range, _ in
                if "\(range)".contains("\(election)"), failures.next() == 0 { throw unreachable }
            }
            let leaving = Counter()
            cluster.etcd.beforeWrite { transaction in
                if isOfElection(transaction), leaving.next() == 1 { throw unreachable }
            }
        }
        try await cluster.run {
            try await eventually("it has failed, and leads") {
                cluster.log.contains(.warning, "cannot lead, will try again") && cluster.log.contains(.info, "leading")
            }
            #expect(try await fixture.store.etcd.range(RangeRequest(.prefix(election))).pairs.count == 1)
        }
    }

    @Test func aReplicaThatDoesNotLeadServesCallsAndReleasesNothing() async throws {
        try await cluster.run {
            let second = Replica(cluster)
            try await running({ await second.control.run() }) {
                try await eventually("the second works") {
                    second.control.replica.hasSession && second.control.inventory.isListed
                }
                let node = try await cluster.addNode("a", workers: 1)
                try await eventually("the second knows the worker") {
                    second.control.inventory.row(fixture.workerRef("a-0"))?.isFree == true
                }
                let alice = try await fixture.createActor("alice")
                #expect(try await second.control.resumeActor(fixture.ref("alice")).value.status == .running)
                cluster.stop(node)
                try await eventually("alice is released") {
                    try await fixture.current("alice").value.state == .suspended
                }
                #expect(try await fixture.current("alice").version == alice.version + 3)
                // It is said a moment after it has been done.
                try await eventually("the first has released her") {
                    cluster.log.contains(.info, "released an actor")
                }
                #expect(!second.log.contains(.info, "released an actor"))
            }
        }
    }

    /// A cluster whose replica looks after its operations often.
    private func sweepingCluster() async throws -> TestCluster {
        var options = TestCluster.impatient
        options.operationSweepInterval = .milliseconds(50)
        return try await TestCluster(TestEtcd.store(), options: options)
    }

    /// An operation of the cluster's replica that everybody had given up.
    private func givenUp(_ cluster: TestCluster) async throws -> (operation: SubstrateModel.Operation, lease: LeaseID) {
        let sessions = RangeRequest(.prefix(cluster.store.keys.replicas))
        let lease = try #require(try await cluster.store.etcd.range(sessions).pairs.first?.lease)
        return (Operation(kind: .resume, owner: cluster.control.replica.id, nonce: "given-up"), lease)
    }

    @Test func anOperationOfItsOwnThatNoWorkflowRunsIsDroppedByTheReplica() async throws {
        let cluster = try await sweepingCluster()
        try await cluster.run {
            let actor = try await cluster.fixture.createActor("alice")
            let (operation, lease) = try await givenUp(cluster)
            for name in ["alice", "nobody"] {
                let key = cluster.store.keys.operation(cluster.fixture.ref(name))
                _ = try await cluster.store.etcd.transaction(
                    Transaction().then(.put(key, operation.record(after: Codec.magic), lease: lease)))
            }
            try await eventually("both are gone") {
                try await cluster.store.listOperations().operations.isEmpty
            }
            #expect(try await cluster.fixture.current("alice") == actor)
        }
    }

    @Test func aClaimThatLandedLateIsBroughtToItsEndByItsReplica() async throws {
        let cluster = try await sweepingCluster()
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let slot = try #require(node.slots.all.first)
            _ = try await cluster.fixture.createActor("alice")
            let (operation, lease) = try await givenUp(cluster)
            _ = try await cluster.store.claim(
                cluster.fixture.ref("alice"), cluster.fixture.current("alice"), worker: slot.ref,
                presence: slot.presence, operation: operation, lease: lease)
            try await eventually("alice is back to SUSPENDED, and her worker free") {
                let rows = try await cluster.store.rows(cluster.fixture.ref("alice"), on: slot.ref)
                return rows.actor?.value.state == .suspended && rows.operation == nil && rows.binding == nil
            }
            #expect(node.runtime.started.isEmpty)
        }
    }

    @Test func anOperationWhoseDeletionTheWatchDoesNotTellIsFoundByTheSweep() async throws {
        let cluster = try await sweepingCluster()
        let keys = cluster.store.keys
        cluster.etcd.deliver { event in
            if case .delete(let key, _, _) = event { return keys.operationRef(key) == nil }
            return true
        }
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1)
            let slot = try #require(node.slots.all.first)
            _ = try await cluster.fixture.createActor("alice")
            let claim = try await cluster.fixture.resuming(
                "alice", on: StoreFixture.Worker(ref: slot.ref, presence: slot.presence, lease: LeaseID(1)))
            _ = try await cluster.store.etcd.transaction(Transaction().then(.delete(keys.operation(claim.ref))))
            try await eventually("alice is adopted") {
                try await cluster.fixture.current("alice").value.state == .suspended
            }
        }
    }
}
