import Etcd
import LocalCluster
import TestKit
import Testing

/// Waiting for a key to go, on servers that lose the event now and then.
@Suite struct WaitForDeletionTests {
    private let key = Key("/deletion-\(UInt64.random(in: .min ... .max))")

    @Test func aDeletionWhoseEventIsLostIsFoundByLooking() async throws {
        let client = try await TestEtcd.server().client()
        let deaf = InterceptedEtcd(client)
        deaf.deliver { if case .delete = $0 { false } else { true } }
        let created = try await client.put(key, [1])
        async let waiting: Void = deaf.waitForDeletion(of: key, since: created, lookingEvery: .milliseconds(20))
        try await client.delete(.key(key))
        try await waiting
    }

    @Test func aKeyThatIsCreatedAgainIsAnother() async throws {
        let client = try await TestEtcd.server().client()
        let deaf = InterceptedEtcd(client)
        deaf.deliver { _ in false }
        let created = try await client.put(key, [1])
        try await client.delete(.key(key))
        try await client.put(key, [2])
        try await deaf.waitForDeletion(of: key, since: created, lookingEvery: .milliseconds(20))
    }

    @Test func theEventAloneIsEnough() async throws {
        let client = try await TestEtcd.server().client()
        let counted = InterceptedEtcd(client)
        let created = try await client.put(key, [1])
        try await client.delete(.key(key))
        try await counted.waitForDeletion(of: key, since: created, lookingEvery: .seconds(3600))
        #expect(counted.counts.ranges == 0)
    }
}
