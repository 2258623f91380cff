import Etcd
import LocalCluster
import TestKit
import Testing

/// Renewals of many leases over one stream.
@Suite struct KeepAliveTests {
    @Test func allLeasesOfAClientAreRenewedOnOneStream() async throws {
        try await TestEtcd.withServer { server in
            let recorder = EtcdRecorder()
            var options = EtcdOptions()
            options.hooks = recorder.hooks
            let client = server.client(options)
            var leases: [Lease] = []
            for _ in 0..<100 { leases.append(try await client.grantLease(timeToLive: .seconds(30))) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lease in leases {
                    for _ in 0..<3 { group.addTask { try await client.keepAlive(lease.id, within: .seconds(5)) } }
                }
                try await group.waitForAll()
            }
            #expect(recorder.streams("LeaseKeepAlive") == 1)
            let known = try await client.leases()
            #expect(Set(leases.map(\.id)).isSubset(of: known))
        }
    }

    @Test func whatALeaseHasLeftAndItsKeysCanBeRead() async throws {
        let client = try await TestEtcd.server().client()
        let lease = try await client.grantLease(timeToLive: .seconds(60))
        let key = Key("/lease-status-\(lease.id)")
        try await client.put(key, [], lease: lease.id)
        let status = try await client.leaseStatus(lease.id, listsKeys: true)
        #expect(status.timeToLive == .seconds(60) && status.timeLeft > .seconds(50) && status.keys == [key])
        try await client.revoke(lease.id)
        let error = await #expect(throws: EtcdError.self) { try await client.leaseStatus(lease.id) }
        #expect(error?.code == .leaseNotFound)
    }

    /// An answer that comes after its caller has given up must not count as the answer to the next renewal: the lease would
    /// seem to have been renewed later than it was.
    @Test func aLateAnswerIsNotTakenForTheNextOne() async throws {
        try await TestEtcd.withServer { server in
            let proxy = try FaultProxy(target: server.endpoint)
            let client = EtcdClient(endpoints: [proxy.endpoint])
            let lease = try await client.grantLease(timeToLive: .seconds(60))
            try await client.keepAlive(lease.id, within: .seconds(5))
            proxy.set { $0.delay = .milliseconds(300) }
            let hurried = await #expect(throws: EtcdError.self) {
                try await client.keepAlive(lease.id, within: .milliseconds(50))
            }
            #expect(hurried?.code == .deadlineExceeded)
            let begun = ContinuousClock.now
            try await client.keepAlive(lease.id, within: .seconds(5))
            // Its own answer takes the whole way there and back; the earlier one's would have come sooner.
            #expect(ContinuousClock.now - begun >= .milliseconds(600))
        }
    }

    @Test func renewalsGoOnThroughAnotherMemberWhenTheirsIsStopped() async throws {
        try await TestEtcd.withCluster { cluster in
            let recorder = EtcdRecorder()
            var options = EtcdOptions()
            options.hooks = recorder.hooks
            let client = cluster.client(options)
            let clock = ContinuousClock()
            let sinceGrant = clock.stopwatch()
            let lease = try await client.grantLease(timeToLive: .seconds(6))
            try await client.put("held", [], lease: lease.id)
            let keeper = LeaseKeeper(store: client, lease: lease, margin: .milliseconds(500), clock: clock)
            let renewals = Tally()
            let count: @Sendable (Stopwatch) -> Bool = { _ in
                renewals.add()
                return true
            }
            try await running({ _ = try await keeper.run(sinceGrant: sinceGrant, onRenewal: count) }) {
                try await eventually("a renewal") { renewals.count == 1 }
                let leader = try await cluster.leader()
                let stopped = try cluster.member(client.currentEndpoint)
                try await stopped.pause()
                // An election may be part of it.
                _ = leader
                try await eventually("renewals elsewhere") { renewals.count >= 4 }
                #expect(client.currentEndpoint != stopped.endpoint)
                stopped.resume()
            }
            let held = try await client.range(.key("held"))
            #expect(held.pairs.count == 1)
        }
    }
}
