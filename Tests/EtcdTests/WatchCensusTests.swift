import Etcd
import GRPC
import LocalCluster
import TestKit
import Testing

/// Counts what the process holds, so it runs with nothing beside it.
@Suite(.serialized) struct WatchCensusTests {
    @Test func aThousandAbandonedWatchesLeaveNothingBehind() async throws {
        try await TestEtcd.withServer { server in
            let client = server.client()
            let revision = try await client.put("a", [1])
            // What stays for the life of the process is there after the first watch.
            for try await _ in client.watch(.key("a"), from: revision) { break }
            try await eventually("the first watch is gone") { CallCensus.liveCalls == 0 }
            let before = try ProcessCensus.now()
            for round in 0..<10 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<100 {
                        group.addTask {
                            // Half leave the loop, half are cancelled while they wait.
                            for try await _ in client.watch(.key("a"), from: revision) where number % 2 == 0 { break }
                        }
                    }
                    if round % 2 == 0 { for _ in 0..<50 { try await group.next() } }
                    group.cancelAll()
                    while let result = await group.nextResult() { _ = result }
                }
            }
            try await eventually("no live call is left") { CallCensus.liveCalls == 0 }
            try await eventually("no descriptor and no thread per watch is left") {
                let now = try ProcessCensus.now()
                return now.descriptors <= before.descriptors && now.threads <= before.threads + 4
            }
            // The server has been told, too.
            let watchers = try await EtcdMetrics.watchers(server)
            #expect(watchers == 0)
        }
    }
}
