import Etcd
import LocalCluster
import Synchronization
import TestKit
import Testing

/// Many watches on one stream, and what becomes of them when it breaks.
@Suite struct WatchStreamTests {
    /// Reads a watch until so many events have come.
    private func read(_ watch: Watch, _ count: Int) async throws -> [WatchEvent] {
        var events: [WatchEvent] = []
        for try await batch in watch {
            guard case .events(let more) = batch else { break }
            events += more
            if events.count >= count { break }
        }
        return events
    }

    @Test func anyNumberOfWatchesShareOneStream() async throws {
        try await TestEtcd.withServer { server in
            let recorder = EtcdRecorder()
            var options = EtcdOptions()
            options.hooks = recorder.hooks
            let client = server.client(options)
            let first = try await client.put("start", [])
            let isReading = Tally()
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        isReading.add()
                        return try await read(client.watch(.key(Key("w/\(number)")), from: first), 3).count
                    }
                }
                try await eventually("all watch") { isReading.count == 200 }
                for round in 0..<3 {
                    for number in 0..<200 { try await client.put(Key("w/\(number)"), [UInt8(round)]) }
                }
                for try await count in group { #expect(count == 3) }
            }
            #expect(recorder.streams("Watch") == 1)
            try await eventually("the server has forgotten them") { try await EtcdMetrics.watchers(server) == 0 }
        }
    }

    @Test func filtersAndPreviousPairs() async throws {
        let client = try await TestEtcd.server().client()
        let root = "/filters-\(UInt64.random(in: .min ... .max))/"
        let first = try await client.put(Key(root + "a"), [1])
        try await client.put(Key(root + "a"), [2])
        try await client.delete(.key(Key(root + "a")))
        try await client.put(Key(root + "a"), [3])
        var request = WatchRequest(.prefix(Key(root)), from: first)
        request.includesPrevious = true
        let all = try await read(client.watch(request), 4)
        #expect(all.map { $0.previous?.value } == [nil, [1], [2], nil])
        request.filter = .deletesOnly
        let deletes = try await read(client.watch(request), 1)
        #expect(deletes.map { $0.previous?.value } == [[2]])
        request.filter = .putsOnly
        request.includesPrevious = false
        let puts = try await read(client.watch(request), 3)
        #expect(puts.map(\.revision).count == 3 && puts.allSatisfy { $0.previous == nil })
    }

    @Test func aStoppedMemberIsLeftWithinSixSecondsAndNothingIsMissed() async throws {
        try await TestEtcd.withCluster { cluster in
            let recorder = EtcdRecorder()
            var options = EtcdOptions()
            options.hooks = recorder.hooks
            let client = cluster.client(options)
            let writer = EtcdClient(endpoints: cluster.endpoints.reversed())
            let first = try await writer.put("w/0", [])
            let seen = Mutex<[Key]>([])
            let watching = Task {
                for try await batch in client.watch(.prefix("w/"), from: first) {
                    if case .events(let events) = batch { seen.withLock { $0 += events.map(\.key) } }
                }
            }
            try await eventually("the watch is open") { seen.withLock { $0.count } == 1 }
            let stopped = try cluster.member(client.currentEndpoint)
            try await stopped.pause()
            // The parts of it: two seconds of silence, as many after a question, and a connection.
            try await eventually("the watch has moved", within: .seconds(6)) { recorder.streams("Watch") >= 2 }
            for number in 1...20 {
                // The stopped one may have been the leader, and then an election is under way.
                let write = Transaction().when(Key("w/\(number)").isAbsent).then(.put(Key("w/\(number)"), [])).guarded()
                _ = try await EtcdDeadline.$current.withValue(.now + .seconds(20)) {
                    try await writer.transaction(write)
                }
            }
            try await eventually("all of it has arrived", within: .seconds(30)) { seen.withLock { $0.count } >= 21 }
            #expect(seen.withLock { $0 } == (0...20).map { Key("w/\($0)") })
            #expect(client.currentEndpoint != stopped.endpoint)
            watching.cancel()
            stopped.resume()
        }
    }

    @Test func aCutOffMemberSaysThatItHasNoLeaderAndTheWatchMovesOn() async throws {
        try await TestEtcd.withCluster { cluster in
            let recorder = EtcdRecorder()
            var options = EtcdOptions()
            options.hooks = recorder.hooks
            // Silence alone would not be noticed for an hour.
            options.signOfLifeInterval = .seconds(3600)
            let alone = cluster.members[0]
            let client = EtcdClient(endpoints: [alone.endpoint], options: options)
            let first = try await client.put("a", [])
            let seen = Tally()
            let watching = Task { for try await _ in client.watch(.key("a"), from: first) { seen.add() } }
            try await eventually("the watch is open") { seen.count == 1 }
            await cluster.members[1].kill()
            await cluster.members[2].kill()
            try await eventually("the watch is told") {
                recorder.logged.contains {
                    if case .watchesResuming(_, _, let error) = $0 { error.code == .noLeader } else { false }
                }
            }
            watching.cancel()
        }
    }

    @Test func aConsumerThatDoesNotKeepUpIsPausedAndSlowsNobody() async throws {
        try await TestEtcd.withServer { server in
            let recorder = EtcdRecorder()
            var options = EtcdOptions()
            options.hooks = recorder.hooks
            options.limits.watchBufferSize = 100_000
            let client = server.client(options)
            let value = [UInt8](repeating: 1, count: 1000)
            let first = try await client.put("s/0", value)
            var slow = client.watch(.prefix("s/"), from: first).makeAsyncIterator()
            guard case .events(let begun) = try await slow.next() else { return }
            let fast = Task { try await read(client.watch(.prefix("s/"), from: first), 1001).count }
            for number in 1...1000 { try await client.put(Key("s/\(number)"), value) }
            let reached = try await fast.value
            #expect(reached == 1001)
            try await eventually("the slow one is paused") {
                recorder.logged.contains { if case .watchPaused = $0 { true } else { false } }
            }
            var keys = begun.map(\.key)
            while keys.count < 1001, case .events(let events) = try await slow.next() { keys += events.map(\.key) }
            #expect(keys == (0...1000).map { Key("s/\($0)") })
            #expect(recorder.streams("Watch") == 1)
        }
    }

    /// Whole revisions out of fragments: a transaction is larger than what a server sends in one piece.
    @Test func aRevisionInManyFragmentsIsDeliveredWholeAlsoWhenTheStreamIsCutInIt() async throws {
        try await TestEtcd.withServer(arguments: ["--max-request-bytes", "20000000"]) { server in
            let proxy = try FaultProxy(target: server.endpoint)
            var options = EtcdOptions()
            options.limits.maximumRequestSize = 20_000_000
            options.attemptTimeout = .seconds(5)
            options.maximumBackoff = .milliseconds(20)
            let writer = server.client(options)
            let value = [UInt8](repeating: 7, count: 150_000)
            let first = try await writer.put("start", [])
            for round in 0..<4 {
                _ = try await writer.transaction(
                    Transaction().then((0..<100).map { .put(Key("big/\(round)/\($0)"), value) }))
            }
            proxy.set { faults in
                faults.cutsAfter = 1_000_000...30_000_000
                faults.maximumCuts = 8
            }
            let client = EtcdClient(endpoints: [proxy.endpoint], options: options)
            var batches: [[WatchEvent]] = []
            for try await batch in client.watch(.prefix("big/"), from: first) {
                guard case .events(let events) = batch else { break }
                batches.append(events)
                if batches.joined().count >= 400 { break }
            }
            #expect(batches.joined().count == 400)
            #expect(Set(batches.joined().map(\.key)).count == 400)
            for batch in batches {
                let revisions = Dictionary(grouping: batch, by: \.revision)
                #expect(revisions.values.allSatisfy { $0.count == 100 })
            }
            #expect(proxy.cuts > 0)
        }
    }

    @Test func listThenWatchListsAgainAfterACompaction() async throws {
        try await TestEtcd.withServer { server in
            let proxy = try FaultProxy(target: server.endpoint)
            var options = EtcdOptions()
            options.maximumBackoff = .milliseconds(20)
            options.signOfLifeInterval = .milliseconds(300)
            options.attemptTimeout = .milliseconds(300)
            let client = EtcdClient(endpoints: [proxy.endpoint], options: options)
            let writer = server.client()
            try await writer.put("l/a", [1])
            var updates = client.listThenWatch(.prefix("l/")).makeAsyncIterator()
            guard case .listed(let listing) = try await updates.next() else { return }
            #expect(listing.pairs.map(\.key) == ["l/a"])
            try await writer.put("l/b", [1])
            guard case .changed(let events) = try await updates.next() else { return }
            #expect(events.map(\.key) == ["l/b"])
            // Cut off, while what it would have to see is written and compacted away.
            proxy.set { $0.swallowsAll = true }
            try await writer.delete(.key("l/a"))
            let last = try await writer.put("l/c", [1])
            try await writer.put("l/d", [1])
            try await writer.compact(last)
            proxy.set { $0.swallowsAll = false }
            proxy.cutAll()
            guard case .listed(let again) = try await updates.next() else {
                Issue.record("expected a listing")
                return
            }
            #expect(again.pairs.map(\.key) == ["l/b", "l/c", "l/d"])
            try await writer.put("l/e", [1])
            guard case .changed(let more) = try await updates.next() else { return }
            #expect(more.map(\.key) == ["l/e"])
        }
    }
}
