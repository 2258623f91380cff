import Etcd
import Foundation
import LocalCluster
import NodeAgent
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@testable import ControlPlane

/// Etcd is restored from a backup, by the procedure of docs/operations.md: real etcd and its own tool, the real control plane
/// and the real agent.
@Suite struct RestoreTests {
    private let directory = TemporaryDirectory()
    private var backup: String { "\(directory.path)/backup" }

    private func save(_ server: LocalEtcd) async throws {
        try await Tool.etcdctl(server.endpoint, ["snapshot", "save", backup], logs: directory.path)
    }

    /// What an operator does with a member of a cluster of one.
    private func restore(_ server: LocalEtcd) async throws {
        await server.kill()
        try FileManager.default.moveItem(atPath: server.dataDirectory, toPath: "\(server.dataDirectory).before")
        try await Tool.run(
            "etcdctl",
            [
                "snapshot", "restore", backup, "--name", server.name, "--data-dir", server.dataDirectory,
                "--initial-cluster", "\(server.name)=\(server.peerURL)", "--initial-advertise-peer-urls",
                server.peerURL,
            ], logs: directory.path, environment: ["ETCDCTL_API": "3"])
        try await server.restart()
    }

    private func cluster(on server: LocalEtcd) async throws -> TestCluster {
        var options = TestCluster.impatient
        options.leaseTimeToLive = .seconds(3)
        return try await TestCluster(Store(etcd: server.client()), options: options)
    }

    private func node(_ name: String, _ runtime: InstantRuntime, in cluster: TestCluster) async throws {
        _ = try await cluster.addNode(name, workers: 4, leaseTimeToLive: .seconds(3), runtime: runtime)
    }

    private func afterRestore(_ server: LocalEtcd, etcd: (any EtcdStore)? = nil) -> AfterRestore {
        let store = Store(etcd: etcd ?? server.client())
        return AfterRestore(store: store, environment: .test(), leaseLimit: .seconds(30))
    }

    @Test func everythingIsResumedFromWhereItWasAtTheTimeOfTheBackup() async throws {
        let runtimes = ["a": InstantRuntime(), "b": InstantRuntime()]
        let removed = Collected<SnapshotURI>()
        try await TestEtcd.withServer { server in
            // Each in another state when the backup is made.
            let before = try await cluster(on: server)
            let (control, fixture) = (before.control, before.fixture)
            before.nodes.onDeletion { snapshot, _ throws(NodeFailure) in removed.append(snapshot) }
            var atBackup: [String: Actor] = [:]
            try await before.run {
                for (name, runtime) in runtimes { try await node(name, runtime, in: before) }
                for name in ["running", "suspended", "paused", "resumed-since", "suspending", "deleted-since"] {
                    _ = try await fixture.createActor(name)
                    _ = try await control.resumeActor(fixture.ref(name))
                    _ = try await control.suspendActor(fixture.ref(name))
                    _ = try await control.resumeActor(fixture.ref(name))
                }
                for name in ["suspended", "deleted-since"] { _ = try await control.suspendActor(fixture.ref(name)) }
                for name in ["paused", "resumed-since"] { _ = try await control.pauseActor(fixture.ref(name)) }
                let isWriting = Flag()
                let mayEnd = Flag()
                for runtime in runtimes.values {
                    runtime.beforeCheckpoint {
                        isWriting.set()
                        try? await eventually("the backup is made") { mayEnd.isSet }
                    }
                }
                let suspend = Task { try await control.suspendActor(fixture.ref("suspending")) }
                try await eventually("a snapshot is being written") { isWriting.isSet }
                try await save(server)
                for name in ["running", "suspended", "paused", "resumed-since", "suspending", "deleted-since"] {
                    atBackup[name] = try await fixture.current(name).value
                }
                mayEnd.set()
                _ = try await suspend.value
                for runtime in runtimes.values { runtime.beforeCheckpoint(nil) }

                // The work of the day after.
                _ = try await control.suspendActor(fixture.ref("running"))
                _ = try await control.resumeActor(fixture.ref("resumed-since"))
                _ = try await control.resumeActor(fixture.ref("suspended"))
                _ = try await control.suspendActor(fixture.ref("suspended"))
                try await control.store.deleteActor(
                    fixture.ref("deleted-since"), try await fixture.current("deleted-since"))
                _ = try await fixture.createActor("created-since")
            }
            try await restore(server)
            let report = try await afterRestore(server).run()
            #expect(report.released == 2 && report.actors == [.suspended: 4, .paused: 2])

            let after = try await cluster(on: server)
            let restored = after.fixture
            for (name, actor) in atBackup {
                let now = try await restored.current(name).value
                #expect(now.lastSnapshot == actor.lastSnapshot && now.localSnapshot == actor.localSnapshot)
                #expect(now.status == (actor.status == .paused ? .paused : .suspended))
            }
            #expect(try await restored.store.actor(restored.ref("created-since")) == nil)
            try await after.run {
                for (name, runtime) in runtimes { try await node(name, runtime, in: after) }
                for (name, actor) in atBackup.sorted(by: { $0.key < $1.key }) {
                    let resumed = try await after.control.resumeActor(restored.ref(name)).value
                    let worker = try #require(resumed.state.assignment?.worker)
                    let runtime = try #require(runtimes[String(worker.pod.prefix(1))])
                    let origin = try #require(runtime.origins.last ?? nil)
                    if name == "paused" {
                        #expect(actor.localSnapshot.map { runtime.localSnapshots.uri(of: $0.name) } == origin)
                    } else {
                        // The node of the other paused one has removed that local snapshot since.
                        #expect(origin == actor.lastSnapshot)
                        #expect((resumed.lastFallback?.reason == .snapshotMissing) == (name == "resumed-since"))
                    }
                }
            }
            // All that the backup names was kept: the retention is longer than the day.
            #expect(removed.all.isEmpty)
        }
    }

    @Test func whileAnAgentOrAReplicaWorksNothingIsDone() async throws {
        try await TestEtcd.withServer { server in
            let cluster = try await cluster(on: server)
            try await cluster.run {
                try await node("a", InstantRuntime(), in: cluster)
                _ = try await cluster.fixture.createActor("alice")
                let alice = try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
                let impatient = AfterRestore(
                    store: Store(etcd: server.client()), environment: .test(), leaseLimit: .zero)
                let error = await #expect(throws: AfterRestoreError.self) { try await impatient.run() }
                #expect(error?.description.contains("the agent at a") == true)
                #expect(error?.description.contains("the replica \(cluster.control.replica.id)") == true)
                #expect(try await cluster.store.generation() == nil)
                #expect(try await cluster.fixture.current("alice") == alice)
            }
        }
    }

    @Test func whatWasInterruptedIsFinishedByTheNextRunAndOneMoreDoesNoHarm() async throws {
        try await TestEtcd.withServer { server in
            let fixture = try await StoreFixture(Store(etcd: server.client()))
            let lease = try await fixture.lease()
            // Two transactions' worth, of which the second does not get through.
            for index in 0..<40 {
                let worker = try await fixture.register("worker-\(index)", lease: lease)
                _ = try await fixture.createActor("actor-\(index)")
                try await fixture.running("actor-\(index)", on: worker)
            }
            try await fixture.store.etcd.revoke(lease)
            let etcd = InterceptedEtcd(server.client())
            let writes = Counter()
            etcd.beforeWrite { _ in
                // The generation is the first.
                guard writes.next() == 2 else { return }
                etcd.cutOff()
                throw EtcdError(code: .unavailable, operation: "", endpoint: "", text: "cut off", outcome: .notApplied)
            }
            await #expect(throws: (any Error).self) { try await afterRestore(server, etcd: etcd).run() }
            let first = try #require(try await fixture.store.generation())
            let suspended = try await fixture.store.listActors(in: nil, after: nil, limit: 100).actors.count {
                $0.actor.value.status == .suspended
            }
            #expect(suspended > 0 && suspended < 40)

            let report = try await afterRestore(server).run()
            #expect(report.released == 40 - suspended && report.actors == [.suspended: 40])
            #expect(report.generation != first.value.id)
            let again = try await afterRestore(server).run()
            #expect(again.released == 0 && again.actors == [.suspended: 40])
            #expect(again.generation != report.generation)
        }
    }

    @Test func anAgentThatRunsOnKillsAllAndRegistersAnewWhenTheGenerationIsRaised() async throws {
        let runtime = InstantRuntime()
        let cluster = try await TestCluster(TestEtcd.store())
        try await cluster.run {
            let node = try await cluster.addNode("a", workers: 1, runtime: runtime)
            _ = try await cluster.fixture.createActor("alice")
            _ = try await cluster.control.resumeActor(cluster.fixture.ref("alice"))
            for id in ["one", "two"] {
                let before = try #require(node.slots.all.first)
                let generation = Generation(id: id, raisedAtMilliseconds: 1)
                #expect(try await cluster.store.raise(generation, over: try await cluster.store.generation()))
                try await eventually("the actor is dead and the worker is another") {
                    runtime.running.isEmpty
                        && (node.slots.all.first?.presence.incarnation ?? before.presence.incarnation)
                            > before.presence.incarnation
                }
                try await eventually("alice is released") {
                    try await cluster.fixture.current("alice").value.status == .suspended
                }
                try await eventually("and can be resumed") {
                    (try? await cluster.control.resumeActor(cluster.fixture.ref("alice")))?.value.status == .running
                }
            }
        }
    }

    @Test func aReplicaThatRunsOnEndsWhenTheGenerationIsRaised() async throws {
        let cluster = try await TestCluster(TestEtcd.store())
        let ended = Flag()
        let wait = Task {
            await #expect(throws: RestoredUnderway.self) { try await cluster.control.waitForRestore() }
            ended.set()
        }
        try await eventually("it has looked") { cluster.etcd.counts.ranges >= 2 }
        #expect(!ended.isSet)
        _ = try await cluster.store.raise(Generation(id: "one", raisedAtMilliseconds: 1), over: nil)
        try await eventually("it ends") { ended.isSet }
        await wait.value
    }
}
