import Etcd
import Foundation
import LocalCluster
import TestKit
import Testing

/// Writes under lost answers, dying leaders and expiring tokens.
@Suite(.enabled(if: runsFullTests)) struct FullFailureTests {
    /// How one step of a chain ended.
    private enum Ending { case applied, appliedEarlier, resolvedLater }

    /// Changes a key step by step, each step on the condition of the one before, until told to stop. Each step is carried out
    /// exactly once, whatever becomes of the answers.
    private struct Chain {
        let key: Key
        let client: EtcdClient
        var step = 0
        var revision: Int64 = 0
        var endings: [Ending] = []
        /// Whether a call for the present step ended without anybody knowing what became of it.
        private var isUnknown = false

        init(key: Key, client: EtcdClient) {
            self.key = key
            self.client = client
        }

        mutating func next() async throws {
            let value = Array("\(step + 1)".utf8)
            let write = Transaction().when(key.modRevision == revision).then(.put(key, value)).otherwise(.get(key))
                .guarded()
            while true {
                do throws(EtcdError) {
                    let response = try await client.transaction(write)
                    if response.succeeded {
                        endings.append(.applied)
                        revision = response.revision
                    } else {
                        // Nobody else writes: only an earlier attempt of this very step can have been in front.
                        let pair = response.reads.first?.first
                        guard pair?.value == value, response.earlierAttemptMayHaveSucceeded || isUnknown else {
                            throw EtcdError(
                                code: .other, operation: "\(key)", endpoint: "", text: "a conflict with nobody",
                                outcome: .notApplied)
                        }
                        endings.append(isUnknown ? .resolvedLater : .appliedEarlier)
                        revision = pair?.modRevision ?? 0
                    }
                    isUnknown = false
                    step += 1
                    return
                } catch {
                    guard error.isRetriable else { throw error }
                    // Either way the same transaction is the right one to send; it can not take effect twice.
                    if error.outcome == .unknown { isUnknown = true }
                }
            }
        }
    }

    @Test func tenThousandGuardedTransactionsWithLostAnswersAreEachAppliedOnce() async throws {
        try await TestEtcd.withServer { server in
            let proxy = try FaultProxy(target: server.endpoint)
            var options = EtcdOptions()
            options.attemptTimeout = .milliseconds(100)
            options.callTimeout = .milliseconds(250)
            options.initialBackoff = .milliseconds(2)
            options.maximumBackoff = .milliseconds(20)
            options.limits.maximumReconnectBackoff = .milliseconds(50)
            let client = EtcdClient(endpoints: [proxy.endpoint], options: options)
            let losses = Tally()
            let chaos = Task {
                while true {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 10...120)))
                    proxy.set { $0.swallowsResponses = true }
                    try await Task.sleep(for: .milliseconds(Int.random(in: 5...300)))
                    // What has a hole in it is of no use: the connection ends before answers pass again.
                    proxy.cutAll()
                    proxy.set { $0.swallowsResponses = false }
                    losses.add()
                }
            }
            let endings = Collected<[Ending]>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        var chain = Chain(key: Key("chain/\(number)"), client: client)
                        for _ in 0..<200 { try await chain.next() }
                        endings.append(chain.endings)
                    }
                }
                try await group.waitForAll()
            }
            chaos.cancel()
            let all = endings.all.flatMap { $0 }
            #expect(all.count == 10_000)
            // Applied twice, a key would have been put more often than it has steps.
            let pairs = try await server.client().range(RangeRequest(.prefix("chain/"))).pairs
            #expect(pairs.count == 50 && pairs.allSatisfy { $0.version == 200 && $0.value == Array("200".utf8) })
            let earlier = all.count { $0 == .appliedEarlier }
            let resolved = all.count { $0 == .resolvedLater }
            #expect(earlier + resolved > 0)
            print(
                "answers lost \(losses.count) times: \(earlier) steps resolved within their call, \(resolved) by a later one"
            )
        }
    }

    @Test func noAcknowledgedWriteIsLostWhenTheLeaderIsKilledTwentyTimes() async throws {
        try await TestEtcd.withCluster { cluster in
            let writes = Shared<[(begun: ContinuousClock.Instant, ended: ContinuousClock.Instant)]>([])
            let steps = Shared<[Key: Int]>([:])
            let isDone = Flag()
            let load = Task {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<16 {
                        group.addTask {
                            let client = EtcdClient(endpoints: cluster.endpoints.shuffled())
                            var chain = Chain(key: Key("chain/\(number)"), client: client)
                            while !isDone.isSet {
                                let begun = ContinuousClock.now
                                try await chain.next()
                                writes.withLock { $0.append((begun, .now)) }
                                // A load, not a flood: fast enough to have many writes under way at every kill.
                                try await Task.sleep(for: .milliseconds(5))
                            }
                            steps.withLock { $0[chain.key] = chain.step }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            var pauses: [Duration] = []
            for round in 0..<20 {
                try await eventually("writes flow") { writes.current.count > 100 * (round + 1) }
                let leader = try await eventualValue("a leader") { try? await cluster.leader() }
                let killed = ContinuousClock.now
                await leader.kill()
                let back = try await eventualValue("a write that was begun after the kill") {
                    writes.withLock { $0.last { $0.begun > killed }?.ended }
                }
                let first = writes.withLock { $0.first { $0.begun > killed }?.ended } ?? back
                pauses.append(first - killed)
                try await leader.restart()
            }
            isDone.set()
            try await load.value
            let pairs = try await cluster.client().range(RangeRequest(.prefix("chain/"))).pairs
            let expected = steps.current
            #expect(pairs.count == 16)
            for pair in pairs {
                #expect(pair.version == Int64(expected[pair.key] ?? 0), "\(pair.key)")
                #expect(pair.value == Array("\(expected[pair.key] ?? 0)".utf8))
            }
            let sorted = pauses.sorted()
            let median = sorted[sorted.count / 2]
            // A measurement, not a claim: machines differ. The aim is 2.5 s, most of it the election.
            print("leader killed 20 times: writes back after \(median) (median), \(sorted.last ?? .zero) (longest)")
        }
    }

    @Test func tokensOfFiveSecondsExpireUnderWatchAndLeaseAndNothingIsLost() async throws {
        let certificates = try await TestCertificates()
        try await certificates.makeKeys("jwt")
        let token =
            "jwt,pub-key=\(certificates.path("jwt.pub")),priv-key=\(certificates.path("jwt.key")),"
            + "sign-method=RS256,ttl=5s"
        try await TestEtcd.withServer(arguments: ["--auth-token", token]) { server in
            try await AuthenticationTests.enable(server)
            let recorder = EtcdRecorder()
            var options = AuthenticationTests.options("root", "secret")
            options.hooks = recorder.hooks
            let client = server.client(options)
            let clock = ContinuousClock()
            let sinceGrant = clock.stopwatch()
            let lease = try await client.grantLease(timeToLive: .seconds(4))
            let first = try await client.put("t/0", [], lease: lease.id)
            let seen = Collected<Key>()
            let loss = Collected<LeaseKeeper.Loss>()
            let watching = Task {
                for try await batch in client.watch(.prefix("t/"), from: first) {
                    if case .events(let events) = batch { for event in events { seen.append(event.key) } }
                }
            }
            let keeping = Task {
                let keeper = LeaseKeeper(store: client, lease: lease, margin: .milliseconds(500), clock: clock)
                loss.append(try await keeper.run(sinceGrant: sinceGrant))
            }
            let end = ContinuousClock.now + .seconds(60)
            var count = 1
            while ContinuousClock.now < end {
                try await client.put(Key("t/\(count)"), [], lease: lease.id)
                count += 1
                // New watches need a token that is good now, on a stream that was opened with an older one.
                if count % 20 == 0 {
                    var late = client.watch(.key("t/0"), from: first).makeAsyncIterator()
                    guard case .events(let events) = try await late.next() else { return }
                    #expect(events.map(\.key) == ["t/0"])
                }
                try await Task.sleep(for: .milliseconds(100))
            }
            try await eventually("the watch has seen all") { seen.all.count >= count }
            #expect(seen.all == (0..<count).map { Key("t/\($0)") })
            #expect(loss.all.isEmpty)
            let left = try await client.range(RangeRequest(.prefix("t/")))
            #expect(left.count == count)
            let tokens = recorder.logged.count { if case .authenticated = $0 { true } else { false } }
            #expect(tokens >= 10)
            print("\(tokens) tokens in a minute, \(recorder.streams("Watch")) watch streams, \(count) events")
            watching.cancel()
            keeping.cancel()
        }
    }
}
