import Etcd
import LocalCluster
import TestKit
import Testing

/// Several members, of which one fails in every way that there is.
@Suite struct EndpointTests {
    @Test func aMemberThatIsKilledIsLeftAtOnce() async throws {
        try await TestEtcd.withCluster { cluster in
            let recorder = EtcdRecorder()
            var options = EtcdOptions()
            options.hooks = recorder.hooks
            let client = cluster.client(options)
            // A follower, so that no election is in the way.
            let follower = try await follower(cluster)
            try await use(follower, client)
            await follower.kill()
            let response = try await client.range(.key("a"))
            #expect(response.pairs.isEmpty)
            #expect(client.currentEndpoint != follower.endpoint)
            #expect(recorder.moves > 0)
        }
    }

    @Test func aMemberThatIsStoppedIsLeftWithinTheTimeOfAnAttempt() async throws {
        try await TestEtcd.withCluster { cluster in
            var options = EtcdOptions()
            options.attemptTimeout = .milliseconds(500)
            let client = cluster.client(options)
            let follower = try await follower(cluster)
            try await use(follower, client)
            try await follower.pause()
            let begun = ContinuousClock.now
            _ = try await client.range(.key("a"))
            // One attempt on the stopped member, and one more in case that the next one had it as its leader.
            #expect(ContinuousClock.now - begun < options.callTimeout)
            #expect(client.currentEndpoint != follower.endpoint)
            follower.resume()
        }
    }

    @Test func aBlackHoleIsLeftAndAWriteThatNeverGotAConnectionIsTriedElsewhere() async throws {
        try await TestEtcd.withCluster { cluster in
            let hole = try FaultProxy(target: cluster.endpoints[0])
            hole.set { $0.swallowsAll = true }
            let recorder = EtcdRecorder()
            var options = EtcdOptions()
            options.attemptTimeout = .milliseconds(300)
            options.hooks = recorder.hooks
            let client = EtcdClient(endpoints: [hole.endpoint] + cluster.endpoints.dropFirst(), options: options)
            // Not guarded: it may be repeated only because it provably was never sent.
            let revision = try await client.put("a", [1])
            let found = try await client.range(.key("a")).pairs.first?.modRevision
            #expect(found == revision)
            let found2 = try await client.range(.key("a")).pairs.first?.version
            #expect(found2 == 1)
            #expect(client.currentEndpoint != hole.endpoint)
            #expect(recorder.moves == 1)
        }
    }

    @Test func aDeadEndpointInTheListIsNoObstacle() async throws {
        let server = try await TestEtcd.server()
        let client = EtcdClient(endpoints: ["127.0.0.1:1", server.endpoint])
        try await client.put("/endpoints/a", [1])
        #expect(client.currentEndpoint == server.endpoint)
    }

    @Test func aMemberWithoutAQuorumSaysThatItHasNoLeaderAndServesOnlySerializableReads() async throws {
        try await TestEtcd.withCluster { cluster in
            var options = EtcdOptions()
            options.callTimeout = .seconds(20)
            let client = EtcdClient(endpoints: [cluster.endpoints[0]], options: options)
            try await client.put("a", [1])
            await cluster.members[1].kill()
            await cluster.members[2].kill()
            // Until it has noticed, calls run out of time instead.
            try await eventually("the member knows that it has no leader") {
                do {
                    _ = try await EtcdDeadline.$current.withValue(.now + .milliseconds(500)) {
                        try await client.range(.key("a"))
                    }
                    return false
                } catch let error as EtcdError {
                    return error.code == .noLeader && error.isRetriable && error.outcome == .notApplied
                }
            }
            var request = RangeRequest(.key("a"))
            request.isSerializable = true
            let found3 = try await client.range(request).pairs.first?.value
            #expect(found3 == [1])
        }
    }

    private func follower(_ cluster: LocalEtcdCluster) async throws -> LocalEtcd {
        let leader = try await cluster.leader()
        return try #require(cluster.members.first { $0.endpoint != leader.endpoint })
    }

    /// Makes the client use this member: it leaves those that it is not to use.
    private func use(_ member: LocalEtcd, _ client: EtcdClient) async throws {
        try await eventually("the client uses \(member.endpoint)") {
            if client.currentEndpoint == member.endpoint { return true }
            client.leaveCurrentMember()
            return client.currentEndpoint == member.endpoint
        }
        _ = try await client.range(.key("a"))
        #expect(client.currentEndpoint == member.endpoint)
    }
}
