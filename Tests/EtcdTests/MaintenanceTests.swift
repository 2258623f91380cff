import Etcd
import Foundation
import LocalCluster
import Processes
import TestKit
import Testing

/// Looking after a cluster.
@Suite struct MaintenanceTests {
    @Test func statusAndMembers() async throws {
        try await TestEtcd.withCluster { cluster in
            let client = cluster.client()
            let revision = try await client.put("a", [1])
            let members = try await client.members()
            #expect(Set(members.map(\.name)) == ["one", "two", "three"])
            #expect(Set(members.flatMap(\.clientURLs)) == Set(cluster.endpoints.map { "http://\($0)" }))
            var leaders: Set<UInt64?> = []
            for endpoint in cluster.endpoints {
                let status = try await eventualValue("\(endpoint) has the write") {
                    let status = try await client.status(of: endpoint)
                    return status.revision >= revision ? status : nil
                }
                leaders.insert(status.leader)
                #expect(members.contains { $0.id == status.memberID })
                #expect(status.version.split(separator: ".").count == 3)
                #expect(status.databaseSize >= status.databaseSizeInUse && status.databaseSizeInUse > 0)
                #expect(status.raftTerm > 0 && status.appliedIndex > 0 && !status.isLearner && status.errors.isEmpty)
            }
            #expect(leaders.count == 1 && leaders.first != .some(nil))
            let error = await #expect(throws: EtcdError.self) { try await client.status(of: "127.0.0.1:1") }
            #expect(error?.code == .invalidRequest)
        }
    }

    @Test func aFullDatabaseIsCompactedDefragmentedAndDisarmed() async throws {
        try await TestEtcd.withServer(arguments: ["--quota-backend-bytes", "1048576"]) { server in
            let client = server.client()
            let value = [UInt8](repeating: 7, count: 100_000)
            var revision: Int64 = 0
            var isFull = false
            for _ in 0..<2000 where !isFull {
                do { revision = try await client.put("a", value) } catch let error as EtcdError {
                    isFull = error.code == .noSpace
                }
            }
            #expect(isFull)
            let alarms = try await client.alarms()
            #expect(alarms.map(\.kind) == [.noSpace])
            let before = try await client.status().databaseSize
            try await client.compact(revision)
            try await client.defragment(server.endpoint)
            let after = try await client.status().databaseSize
            #expect(after < before)
            for alarm in alarms { try await client.disarm(alarm) }
            let left = try await client.alarms()
            #expect(left.isEmpty)
            try await client.put("a", [1])
        }
    }

    @Test func aSnapshotIsSavedWithItsHashChecked() async throws {
        try await TestEtcd.withServer { server in
            let directory = TemporaryDirectory()
            let client = server.client()
            for number in 0..<200 { try await client.put(Key("a/\(number)"), [UInt8](repeating: 7, count: 10_000)) }
            let path = "\(directory.path)/backup.db"
            let size = try await client.saveSnapshot(to: path)
            let file = try FileManager.default.attributesOfItem(atPath: path)
            #expect((file[.size] as? Int64) == size && size > 2_000_000)
            #expect(!FileManager.default.fileExists(atPath: "\(path).part"))
            // etcd's own tool checks the hash too, and a server reads from it what was in the other one.
            try await Self.restore(path, to: "\(directory.path)/restored/local.etcd")
            let restored = try await LocalEtcd.start(directory: "\(directory.path)/restored")
            let found = try await restored.client().range(RangeRequest(.prefix("a/")))
            #expect(found.count == 200)
            await restored.kill()
        }
    }

    private static func restore(_ snapshot: String, to directory: String) async throws {
        let tool = try await LocalProcess.start(
            "restore", "etcdctl",
            [
                "snapshot", "restore", snapshot, "--name", "local", "--data-dir", directory, "--initial-cluster",
                "local=http://127.0.0.1:1", "--initial-advertise-peer-urls", "http://127.0.0.1:1",
            ],
            logs: "\(directory)-log", environment: ["ETCDCTL_API": "3"])
        let status = await tool.process.wait()
        #expect(status == .exited(code: 0), "\(tool.lastLines)")
    }

    @Test func aSnapshotThatIsCutOffLeavesTheOldFile() async throws {
        try await TestEtcd.withServer { server in
            let directory = TemporaryDirectory()
            let proxy = try FaultProxy(target: server.endpoint)
            let writer = server.client()
            for number in 0..<100 { try await writer.put(Key("a/\(number)"), [UInt8](repeating: 7, count: 10_000)) }
            let path = "\(directory.path)/backup.db"
            try Data("older".utf8).write(to: URL(filePath: path))
            proxy.set { $0.cutsAfter = 200_000...300_000 }
            let client = EtcdClient(endpoints: [proxy.endpoint])
            let error = await #expect(throws: EtcdError.self) { try await client.saveSnapshot(to: path) }
            #expect(error?.code == .unavailable)
            #expect(FileManager.default.contents(atPath: path) == Data("older".utf8))
            #expect(!FileManager.default.fileExists(atPath: "\(path).part"))
            let nowhere = await #expect(throws: EtcdError.self) {
                try await writer.saveSnapshot(to: "\(directory.path)/no/such/directory/backup.db")
            }
            #expect(nowhere?.text.contains("No such file") == true)
        }
    }
}
