import Etcd
import LocalCluster
import TestKit
import Testing

@Suite struct LeaseTests {
    private let root = "/lease-\(UInt64.random(in: .min ... .max))/"

    private func key(_ name: String) -> Key { Key(root + name) }

    @Test func aRevokedLeaseTakesItsKeysAlong() async throws {
        let client = try await TestEtcd.server().client()
        let lease = try await client.grantLease(timeToLive: .seconds(60))
        #expect(lease.timeToLive == .seconds(60))
        try await client.put(key("a"), [], lease: lease.id)
        #expect(try await client.range(.key(key("a"))).pairs.first?.lease == lease.id)
        try await client.keepAlive(lease.id, within: .seconds(5))
        try await client.revoke(lease.id)
        #expect(try await client.range(.key(key("a"))).pairs.isEmpty)
        // Gone is what was wanted.
        try await client.revoke(lease.id)
        let error = await #expect(throws: EtcdError.self) { try await client.keepAlive(lease.id, within: .seconds(5)) }
        #expect(error?.code == .leaseNotFound)
    }

    @Test func aPutCanKeepTheLeaseOrLoseIt() async throws {
        let client = try await TestEtcd.server().client()
        let lease = try await client.grantLease(timeToLive: .seconds(60))
        try await client.put(key("a"), [1], lease: lease.id)
        _ = try await client.transaction(Transaction().then(.putKeepingLease(key("a"), [2])))
        #expect(try await client.range(.key(key("a"))).pairs.first?.lease == lease.id)
        try await client.put(key("a"), [3])
        #expect(try await client.range(.key(key("a"))).pairs.first?.lease == nil)
    }

    @Test func theKeeperOutlivesTheTimeToLive() async throws {
        let client = try await TestEtcd.server().client()
        let lease = try await client.grantLease(timeToLive: .seconds(5))
        try await client.put(key("a"), [], lease: lease.id)
        let clock = ContinuousClock()
        let keeper = LeaseKeeper(store: client, lease: lease, margin: .milliseconds(200), clock: clock)
        let renewals = Tally()
        try await running({ _ = try await keeper.run(sinceGrant: clock.stopwatch()) { _ in renewals.add() } }) {
            // The fourth renewal comes after one and a third of the time to live.
            try await eventually("four renewals") { renewals.count == 4 }
        }
        #expect(try await client.range(.key(key("a"))).pairs.count == 1)
        try await client.revoke(lease.id)
    }

    @Test func theKeeperSaysWhenTheLeaseIsGone() async throws {
        let client = try await TestEtcd.server().client()
        let lease = try await client.grantLease(timeToLive: .seconds(2))
        try await client.revoke(lease.id)
        let clock = ContinuousClock()
        let keeper = LeaseKeeper(store: client, lease: lease, margin: .zero, clock: clock)
        #expect(try await keeper.run(sinceGrant: clock.stopwatch()) == .gone)
    }

    /// On a clock that only moves by hand: the deadline counts from when the last good renewal was sent.
    @Test func theKeeperGivesUpItsMarginBeforeTheLeaseCanHaveExpired() async throws {
        let etcd = SilentStore()
        let clock = ManualClock()
        let lease = Lease(id: LeaseID(1), timeToLive: .seconds(6))
        let keeper = LeaseKeeper(store: etcd, lease: lease, margin: .seconds(1), clock: clock)
        let keeping = Task { try await keeper.run(sinceGrant: clock.stopwatch()) }
        // A renewal at 2 s succeeds; from then on none does.
        try await eventually("it sleeps") { clock.sleepers == 1 }
        clock.advance(by: .seconds(2))
        try await eventually("it has renewed") { etcd.renewals == 1 && clock.sleepers == 1 }
        etcd.fail()
        clock.advance(by: .seconds(2))
        while clock.now.offset < .seconds(7) {
            try await eventually("it sleeps") { clock.sleepers == 1 }
            clock.advance(by: .milliseconds(100))
        }
        // 2 s + 6 s - 1 s.
        guard case .notRenewedInTime(let error) = try await keeping.value else {
            Issue.record("expected the lease to be lost for want of a renewal")
            return
        }
        #expect(error?.code == .unavailable)
        #expect(clock.now.offset == .seconds(7))
    }
}

/// Answers renewals, until told to fail them.
private final class SilentStore: EtcdStore {
    private let isFailing = Flag()
    private let renewed = Tally()

    var renewals: Int { renewed.count }

    func fail() { isFailing.set() }

    func keepAlive(_ lease: LeaseID, within limit: Duration) async throws(EtcdError) {
        if isFailing.isSet {
            throw EtcdError(
                code: .unavailable, operation: "renew", endpoint: "test", text: "cut off", outcome: .notApplied)
        }
        renewed.add()
    }

    private var unused: EtcdError {
        EtcdError(code: .other, operation: "unused", endpoint: "test", text: "unused", outcome: .notApplied)
    }

    func range(_ request: RangeRequest) async throws(EtcdError) -> RangeResponse { throw unused }
    func transaction(_ transaction: Transaction) async throws(EtcdError) -> TransactionResponse { throw unused }
    func watch(_ request: WatchRequest) -> Watch { Watch(source: NoEvents()) }
    func grantLease(timeToLive: Duration) async throws(EtcdError) -> Lease { throw unused }
    func revoke(_ lease: LeaseID) async throws(EtcdError) {}
}

private final class NoEvents: WatchSource {
    func next() async throws(EtcdError) -> WatchBatch? { nil }
}
