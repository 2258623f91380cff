import Etcd
import LocalCluster
import Synchronization
import TestKit
import Testing

/// What happens when the server goes away and comes back. Each test has a server of its own.
@Suite struct OutageTests {
    @Test func readsAndGuardedTransactionsGoOnWhenTheServerIsBack() async throws {
        try await TestEtcd.withServer { server in
            let retries = Mutex(0)
            var options = EtcdOptions()
            options.callTimeout = .seconds(30)
            options.hooks.log = { event in if case .retrying = event { retries.withLock { $0 += 1 } } }
            let client = server.client(options)
            let revision = try await client.put("a", [1])
            await server.kill()
            async let read = client.range(.key("a"))
            let guarded = Transaction().when(Key("a").modRevision == revision).then(.put("a", [2])).guarded()
            async let written = client.transaction(guarded)
            try await eventually("both have failed at least once") { retries.withLock { $0 } >= 2 }
            try await server.restart()
            #expect(try await read.pairs.count == 1)
            #expect(try await written.succeeded)
        }
    }

    @Test func anUnguardedWriteIsNotRepeatedAndSaysThatItsOutcomeIsUnknown() async throws {
        try await TestEtcd.withServer { server in
            let client = server.client()
            try await client.put("a", [1])
            // Stopped, it accepts the bytes and never answers.
            try await server.pause()
            let error = await #expect(throws: EtcdError.self) { try await client.put("a", [2]) }
            #expect(error?.outcome == .unknown)
            server.resume()
        }
    }

    @Test func aWatchGoesOnWithoutLossWhenTheServerIsBack() async throws {
        try await TestEtcd.withServer { server in
            let client = server.client()
            let first = try await client.put("w/0", [])
            var watch = client.watch(.prefix("w/"), from: first).makeAsyncIterator()
            var seen: [Key] = []
            func read(upTo count: Int) async throws {
                while seen.count < count {
                    guard case .events(let events) = try await watch.next() else { break }
                    seen += events.map(\.key)
                }
            }
            try await read(upTo: 1)
            for round in 0..<3 {
                for number in 1...5 { try await client.put(Key("w/\(round * 5 + number)"), []) }
                try await read(upTo: round * 5 + 3)
                await server.kill()
                try await server.restart()
            }
            try await client.put("w/16", [])
            try await read(upTo: 17)
            #expect(seen == (0...16).map { Key("w/\($0)") })
        }
    }

    @Test func aCompactedStartIsReported() async throws {
        try await TestEtcd.withServer { server in
            let client = server.client()
            let first = try await client.put("a", [1])
            for value in 2..<6 { try await client.put("a", [UInt8(value)]) }
            let compacted = try await client.put("a", [9])
            try await client.compact(compacted)
            var watch = client.watch(.key("a"), from: first).makeAsyncIterator()
            #expect(try await watch.next() == .compacted(oldestRevision: compacted))
            #expect(try await watch.next() == nil)
            let error = await #expect(throws: EtcdError.self) {
                try await client.range(RangeRequest(.key("a"), revision: first))
            }
            #expect(error?.code == .compacted)
        }
    }
}
