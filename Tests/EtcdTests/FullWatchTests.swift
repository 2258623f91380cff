import Etcd
import Foundation
import LocalCluster
import TestKit
import Testing

/// Whether the tests that need minutes are to run.
let runsFullTests = ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] != nil

/// Watches whose streams are cut again and again, and consumers that stop reading.
@Suite(.enabled(if: runsFullTests)) struct FullWatchTests {
    private func impatientOptions() -> EtcdOptions {
        var options = EtcdOptions()
        options.initialBackoff = .milliseconds(1)
        options.maximumBackoff = .milliseconds(20)
        options.limits.maximumReconnectBackoff = .milliseconds(100)
        return options
    }

    /// Puts and deletes in transactions of up to ten, by a few writers. Each waits where `pause` says so.
    private func write(
        _ events: Int, _ client: EtcdClient, seed: UInt64, pause: @escaping @Sendable () async throws -> Void = {}
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    var generator = SeededGenerator(seed: seed &+ UInt64(writer))
                    var left = events / 4
                    while left > 0 {
                        try await pause()
                        let count = min(left, Int.random(in: 1...10, using: &generator))
                        var operations = Set((0..<count).map { _ in Int.random(in: 0..<50, using: &generator) }).map {
                            Transaction.Operation.put(Key("w/\(writer)/\($0)"), Array("\(left)-\($0)".utf8))
                        }
                        // Now and then a key comes, or goes if it is there.
                        let passing = Key("w/\(writer)/passing")
                        if left % 7 == 0 { operations.append(.delete(passing)) }
                        if left % 7 == 3 { operations.append(.put(passing, [])) }
                        _ = try await client.transaction(Transaction().then(operations))
                        left -= operations.count
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Reads a watch to its end, and keeps what it has read.
    private final class History: Sendable {
        private let read = Shared<[WatchEvent]>([])
        private let last = Shared<Int64>(0)

        var events: [WatchEvent] { read.current }
        /// The last revision that was delivered.
        var revision: Int64 { last.current }

        func follow(_ watch: Watch) async throws {
            for try await batch in watch {
                guard case .events(let events) = batch else {
                    Issue.record("the watch was compacted, although only what everybody had read was")
                    return
                }
                read.withLock { $0 += events }
                last.withLock { $0 = events.last?.revision ?? $0 }
            }
        }
    }

    /// A server sends what a watch has missed in one response, so the writers do not run far ahead of watches that never get
    /// far: a response that is longer than any connection lives would never arrive.
    @Test func aThousandCutsLoseNothingDoubleNothingAndKeepTheOrder() async throws {
        try await TestEtcd.withServer { server in
            let watchers = 5
            let cutsEach = 200
            let writer = server.client()
            let first = try await writer.put("w/first", [])
            let reference = History()
            let histories = (0..<watchers).map { _ in History() }
            let proxies = try histories.map { _ in try FaultProxy(target: server.endpoint) }
            for proxy in proxies {
                proxy.set { faults in
                    faults.cutsAfter = 1...20_000
                    faults.maximumCuts = cutsEach
                }
            }
            let compactions = Tally()
            @Sendable func slowest() -> Int64 { histories.map(\.revision).min() ?? 0 }
            let readers = Task {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await reference.follow(writer.watch(.prefix("w/"), from: first)) }
                    for (history, proxy) in zip(histories, proxies) {
                        group.addTask {
                            let client = EtcdClient(endpoints: [proxy.endpoint], options: impatientOptions())
                            try await history.follow(client.watch(.prefix("w/"), from: first))
                        }
                    }
                    try await group.waitForAll()
                }
            }
            let compactor = Task {
                while true {
                    try await Task.sleep(for: .milliseconds(200))
                    // Nothing new to compact is refused.
                    if (try? await writer.compact(min(slowest(), reference.revision))) != nil { compactions.add() }
                }
            }
            try await write(52_000, writer, seed: 1) {
                while reference.revision - slowest() > 20 { try await Task.sleep(for: .milliseconds(2)) }
            }
            // Until the last cut has been made.
            while proxies.contains(where: { $0.cuts < cutsEach }) {
                try await writer.put("w/more", [UInt8](repeating: 1, count: 500))
                try await Task.sleep(for: .milliseconds(1))
                while reference.revision - slowest() > 20 { try await Task.sleep(for: .milliseconds(2)) }
            }
            let last = try await writer.put("w/last", [])
            try await eventually("all have read all", within: .seconds(60)) {
                reference.revision == last && slowest() == last
            }
            compactor.cancel()
            readers.cancel()
            let expected = reference.events
            #expect(expected.count >= 50_000)
            for history in histories {
                #expect(history.events.count == expected.count)
                #expect(history.events == expected)
            }
            #expect(compactions.count > 0)
            let cuts = proxies.reduce(0) { $0 + $1.cuts }
            #expect(cuts == watchers * cutsEach)
            print("\(cuts) cuts, \(expected.count) events, \(compactions.count) compactions")
        }
    }

    @Test func whatIsListedAndWatchedEndsAsTheStoreDoesHoweverItIsCompacted() async throws {
        try await TestEtcd.withServer { server in
            let writer = server.client()
            let listings = Tally()
            for round in 0..<10 {
                let proxy = try FaultProxy(target: server.endpoint)
                proxy.set { faults in
                    faults.cutsAfter = 1...20_000
                    faults.maximumCuts = 60
                }
                let state = Shared<[Key: [UInt8]]>([:])
                let reader = Task {
                    let client = EtcdClient(endpoints: [proxy.endpoint], options: impatientOptions())
                    for try await update in client.listThenWatch(.prefix("w/"), pageSize: 50) {
                        switch update {
                        case .listed(let listing):
                            listings.add()
                            state.withLock { state in
                                state = Dictionary(uniqueKeysWithValues: listing.pairs.map { ($0.key, $0.value) })
                            }
                        case .changed(let events):
                            state.withLock { state in
                                for event in events {
                                    if case .put(let pair, _) = event {
                                        state[pair.key] = pair.value
                                    } else {
                                        state[event.key] = nil
                                    }
                                }
                            }
                        }
                    }
                }
                let compactor = Task {
                    while true {
                        try await Task.sleep(for: .milliseconds(200))
                        let head = try await writer.range(.key("w/none")).revision
                        try? await writer.compact(head)
                    }
                }
                try await write(5_000, writer, seed: UInt64(round))
                // The next writes are what a watch that lagged would have missed.
                try await Task.sleep(for: .milliseconds(200))
                let marker = Array("\(round)".utf8)
                try await writer.put("w/marker", marker)
                let listing = try await writer.list(.prefix("w/"))
                let expected = Dictionary(uniqueKeysWithValues: listing.pairs.map { ($0.key, $0.value) })
                try await eventually("round \(round) ends with the store's state", within: .seconds(60)) {
                    state.current == expected
                }
                compactor.cancel()
                reader.cancel()
            }
            print("listings \(listings.count) in 10 rounds")
            #expect(listings.count >= 10)
        }
    }

    @Test func aConsumerThatStallsForTwentySecondsCostsABoundedAmountAndSlowsNobody() async throws {
        try await TestEtcd.withServer(arguments: ["--quota-backend-bytes", "2000000000"]) { server in
            let client = server.client()
            let value = [UInt8](repeating: 1, count: 10_000)
            let first = try await client.put("s/first", value)
            var stalled = client.watch(.prefix("s/"), from: first).makeAsyncIterator()
            guard case .events(let begun) = try await stalled.next() else { return }
            let followed = Tally()
            let follower = Task {
                for try await batch in client.watch(.prefix("s/"), from: first) {
                    if case .events(let events) = batch { for _ in events { followed.add() } }
                }
            }
            try await eventually("the other one follows") { followed.count == 1 }
            let before = try ProcessCensus.residentBytes()
            let stallEnds = ContinuousClock.now + .seconds(20)
            var peak = before
            for number in 0..<10_000 {
                try await client.put(Key("s/\(number % 100)"), value)
                if number % 100 == 0 { peak = max(peak, try ProcessCensus.residentBytes()) }
            }
            // Slowed by nobody: it has all of it as soon as it is written.
            try await eventually("the other one has read all", within: .seconds(5)) { followed.count == 10_001 }
            try await Task.sleep(until: stallEnds, clock: .continuous)
            peak = max(peak, try ProcessCensus.residentBytes())
            print("a stalled consumer of 100 MB cost \((peak - before) >> 20) MiB")
            #expect(peak - before <= 32 << 20)
            var count = begun.count
            while count < 10_001, case .events(let events) = try await stalled.next() { count += events.count }
            #expect(count == 10_001)
            follower.cancel()
        }
    }
}
