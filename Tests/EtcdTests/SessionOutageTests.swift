import Etcd
import LocalCluster
import TestKit
import Testing

/// Sessions, locks and elections on three members while members die.
@Suite struct SessionOutageTests {
    /// A client that begins with this member.
    private func client(of cluster: LocalEtcdCluster, first endpoint: String) -> EtcdClient {
        EtcdClient(endpoints: [endpoint] + cluster.endpoints.filter { $0 != endpoint })
    }

    @Test func aSessionOutlivesTheDeathOfItsMemberAndOfTheLeader() async throws {
        try await TestEtcd.withCluster { cluster in
            let leader = try await cluster.leader()
            let follower = try #require(cluster.members.first { $0.endpoint != leader.endpoint })
            for victim in [follower, leader] {
                let client = self.client(of: cluster, first: victim.endpoint)
                let other = self.client(of: cluster, first: cluster.endpoints.first { $0 != victim.endpoint } ?? "")
                // Longer than an election, and renewed at a third of it: several renewals happen without the member.
                try await client.withSession(under: "outage/", timeToLive: .seconds(6)) { session in
                    await victim.kill()
                    let begun = ContinuousClock.now
                    try await eventually("three writes under the fence", within: .seconds(20)) {
                        let write = Transaction().when(session.fence).then(.put("outage-work", [])).guarded()
                        guard let response = try? await client.transaction(write) else { return false }
                        #expect(response.succeeded)
                        return ContinuousClock.now - begun > .seconds(6)
                    }
                    let key = session.key
                    let seen = try await other.range(.key(key))
                    #expect(seen.pairs.first?.createRevision == session.revision)
                }
                try await victim.launchAgain()
                try await victim.waitUntilServing()
            }
        }
    }

    @Test func aLockStaysMutualWhileTheLeaderIsKilledAgainAndAgain() async throws {
        try await TestEtcd.withCluster { cluster in
            let turns = Collected<Int64>()
            let isDone = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let client = EtcdClient(endpoints: cluster.endpoints.shuffled())
                        while !isDone.isSet {
                            do {
                                try await client.withSession(under: "lockers/", timeToLive: .seconds(6)) { session in
                                    try await session.withLock("lock") { lock in
                                        // Whoever writes under the fence is the only one who can: its number is in order.
                                        let write = Transaction().when(lock.fence).then(.put("turn", [])).guarded()
                                        let response = try await client.transaction(write)
                                        if response.succeeded { turns.append(lock.revision) }
                                    }
                                }
                            } catch is SessionLost {
                                // Lost with the election under it; the next session goes on.
                            } catch let error as EtcdError where error.isRetriable {
                            }
                        }
                    }
                }
                group.addTask {
                    for _ in 0..<3 {
                        let victim = try await cluster.leader()
                        await victim.kill()
                        let before = turns.all.count
                        try await eventually("turns go on", within: .seconds(30)) { turns.all.count > before + 3 }
                        try await victim.launchAgain()
                        try await victim.waitUntilServing()
                    }
                    isDone.set()
                }
                while try await group.next() != nil {}
            }
            let order = turns.all
            #expect(order == order.sorted() && Set(order).count == order.count)
        }
    }

    @Test func aLeaderThatIsCutOffIsFollowedAndItsFenceNoLongerHolds() async throws {
        try await TestEtcd.withCluster { cluster in
            let proxies = try cluster.endpoints.map { try FaultProxy(target: $0) }
            let isolated = EtcdClient(endpoints: proxies.map(\.endpoint))
            let connected = EtcdClient(endpoints: cluster.endpoints)
            let seen = Collected<[UInt8]?>()
            let observing = Task {
                for try await leader in connected.leaders(of: "election") { seen.append(leader?.value) }
            }
            let fence = Collected<Compare>()
            let first = Task {
                try await isolated.withSession(under: "campaign/", timeToLive: .seconds(3)) { session in
                    try await session.withLeadership(of: "election", value: [1]) { leadership in
                        fence.append(leadership.fence)
                        while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
                    }
                }
            }
            try await eventually("the first leads") { seen.all.last == [1] && !fence.all.isEmpty }
            let second = Task {
                try await connected.withSession(under: "campaign/") { session in
                    try await session.withLeadership(of: "election", value: [2]) { _ in
                        while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
                    }
                }
            }
            try await eventually("two candidates") {
                try await connected.range(RangeRequest(.prefix("election/"))).count == 2
            }
            for proxy in proxies { proxy.set { $0.swallowsAll = true } }
            // The one that is cut off knows before the lease can have expired, whatever etcd can tell it.
            let lost = await #expect(throws: SessionLost.self) { try await first.value }
            guard case .lease = lost else {
                Issue.record("expected the loss of the lease, got \(String(describing: lost))")
                return
            }
            try await eventually("the second leads", within: .seconds(20)) { seen.all.last == [2] }
            let late = Transaction().when(try #require(fence.all.first)).then(.put("late", []))
            let response = try await connected.transaction(late)
            #expect(!response.succeeded)
            second.cancel()
            observing.cancel()
            _ = await second.result
        }
    }
}
