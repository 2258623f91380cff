import Etcd
import Foundation
import LocalCluster
import TestKit
import Testing

/// A client never goes back in time.
@Suite struct FreshnessTests {
    @Test func aMemberThatHasLostItsDataIsRefused() async throws {
        let directory = TemporaryDirectory()
        let server = try await LocalEtcd.start(directory: directory.path)
        let client = server.client()
        for number in 0..<5 { try await client.put("a", [UInt8(number)]) }
        await server.kill()
        // The same names and ports make the same cluster id, as after restoring a backup.
        try FileManager.default.removeItem(atPath: "\(directory.path)/local.etcd")
        try await server.restart()
        let read = await #expect(throws: EtcdError.self) { try await client.range(.key("a")) }
        #expect(read?.code == .staleMember)
        #expect(read?.text.contains("backup") == true)
        let write = await #expect(throws: EtcdError.self) { try await client.put("a", [9]) }
        // It was applied there, in a history that this client does not believe in.
        #expect(write?.code == .staleMember && write?.outcome == .unknown)
        // A new client accepts what it finds.
        #expect(try await server.client().range(.key("a")).pairs.count == 1)
        await server.kill()
    }

    @Test func aWatchRefusesAMemberThatStaysBehind() async throws {
        let directory = TemporaryDirectory()
        let server = try await LocalEtcd.start(directory: directory.path)
        let recorder = EtcdRecorder()
        var options = EtcdOptions()
        options.hooks = recorder.hooks
        options.signOfLifeInterval = .milliseconds(200)
        let client = server.client(options)
        var revision: Int64 = 0
        for number in 0..<5 { revision = try await client.put("a", [UInt8(number)]) }
        let next = revision + 1
        try await running({ for try await _ in client.watch(.key("a"), from: next) {} }) {
            try await eventually("the watch is open") { recorder.streams("Watch") == 1 }
            await server.kill()
            try FileManager.default.removeItem(atPath: "\(directory.path)/local.etcd")
            try await server.restart()
            try await eventually("the watch says why it does not go on") {
                recorder.logged.contains {
                    if case .watchesResuming(_, _, let error) = $0 { error.code == .staleMember } else { false }
                }
            }
        }
        await server.kill()
    }

    @Test func aMemberOfAnotherClusterIsRefused() async throws {
        try await TestEtcd.withServer { one in
            try await TestEtcd.withServer { other in
                let client = EtcdClient(endpoints: [one.endpoint, other.endpoint])
                try await client.put("a", [1])
                await one.kill()
                let error = await #expect(throws: EtcdError.self) {
                    try await EtcdDeadline.$current.withValue(.now + .seconds(2)) { try await client.range(.key("a")) }
                }
                // Which of the two it says depends on the member that was asked last.
                #expect(error?.code == .wrongCluster || error?.code == .unavailable)
                let found = try await other.client().range(.key("a")).pairs.isEmpty
                #expect(found)
            }
        }
    }
}
