import ControlPlane
import Etcd
import LocalCluster
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// etcd has used up its quota, and refuses everything that would put a key: docs/operations.md says what goes on, and what to do.
@Suite struct EtcdOutOfSpaceTests {
    private static let filler = Key("/filler/")

    /// Puts what is not ours until etcd takes no more.
    private func fill(_ etcd: any EtcdStore) async throws {
        let value = [UInt8](repeating: 7, count: 256 << 10)
        for number in 0..<64 {
            do {
                let key = Key(bytes: Self.filler.bytes + Array("\(number)".utf8))
                _ = try await etcd.transaction(Transaction().then(.put(key, value)))
            } catch {
                guard error.code == .noSpace else { throw error }
                return
            }
        }
        throw DidNotHappen(description: "etcd is not full after 16 MiB")
    }

    /// As the page on operations has it, with its own tool.
    private func makeRoom(_ endpoint: String, _ etcd: EtcdClient) async throws {
        let logs = TemporaryDirectory()
        let revision = try await etcd.delete(DeleteRequest(.prefix(Self.filler))).revision
        for arguments in [["compact", "\(revision)"], ["defrag"], ["alarm", "disarm"]] {
            try await Tool.etcdctl(endpoint, arguments, logs: logs.path)
        }
    }

    @Test func whatRunsAndWhatIsReadGoesOnAndAReleaseIsMadeAsSoonAsThereIsRoom() async throws {
        try await TestEtcd.withServer(arguments: ["--quota-backend-bytes", "\(4 << 20)"]) { server in
            let client = server.client()
            let cluster = try await TestCluster(Store(etcd: client, keys: TestEtcd.uniqueKeys()))
            let (fixture, control) = (cluster.fixture, cluster.control)
            try await cluster.run {
                let first = try await cluster.addNode("first", workers: 1, leaseTimeToLive: .seconds(15))
                for name in ["alice", "bob"] { _ = try await fixture.createActor(name) }
                _ = try await control.resumeActor(fixture.ref("alice"))
                _ = try await control.suspendActor(fixture.ref("alice"))
                _ = try await control.resumeActor(fixture.ref("alice"))
                let snapshot = try await fixture.current("alice").value.lastSnapshot
                try await fill(client)

                // What is there is read, and what runs goes on: resuming it takes no write, and leases are renewed.
                let renewals = cluster.nodeEtcd.renewals
                #expect(try await control.resumeActor(fixture.ref("alice")).value.state.status == .running)
                #expect(try await fixture.store.listActors(in: nil, after: nil, limit: 10).actors.count == 2)
                try await eventually("the node's lease is renewed", within: .seconds(60)) {
                    cluster.nodeEtcd.renewals > renewals
                }
                #expect(first.runtime.running.count == 1)

                // What would change something says why it does not.
                do {
                    _ = try await control.suspendActor(fixture.ref("alice"))
                    Issue.record("a suspend went through")
                } catch ControlError.store(.etcd(let failure)) {
                    #expect(failure.code == .noSpace && "\(failure)".contains("database space exceeded"))
                }
                #expect(try await fixture.current("alice").value.state.status == .running)
                #expect(first.runtime.running.count == 1)

                // The worker dies. Its actor waits for room, and for nothing else.
                cluster.stop(first)
                let moved = MovedMetrics(cluster.metrics)
                try await eventually("a release is tried") {
                    (moved.look()["ate_release_failures_total"] ?? 0) > 0
                }
                #expect(
                    cluster.log.contains(.warning, "cannot release actors from lost workers, will try again"))
                #expect(try await fixture.current("alice").value.state.status == .running)
                try await makeRoom(server.endpoint, client)
                let released = try await eventualValue("alice is released") {
                    let actor = try await fixture.current("alice").value
                    return actor.state == .suspended ? actor : nil
                }
                #expect(released.lastSnapshot == snapshot && released.lastRecovery?.statusBefore == .running)
                _ = try await cluster.addNode("second", workers: 1)
                #expect(try await control.resumeActor(fixture.ref("alice")).value.state.status == .running)
            }
        }
    }
}
