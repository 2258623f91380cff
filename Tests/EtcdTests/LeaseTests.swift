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
        let count: @Sendable (Stopwatch) -> Bool = { _ in
            renewals.add()
            return true
        }
        try await running({ _ = try await keeper.run(sinceGrant: clock.stopwatch(), onRenewal: count) }) {
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
        etcd.fail(with: .unavailable)
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

    /// Past its time the keeper goes on asking; only the server knows whether the lease is gone.
    @Test func aLeaseThatWasNotRenewedInTimeIsRenewedAfterAllWhenTheServerStillHasIt() async throws {
        let etcd = SilentStore()
        let clock = ManualClock()
        let lease = Lease(id: LeaseID(1), timeToLive: .seconds(6))
        let keeper = LeaseKeeper(store: etcd, lease: lease, margin: .seconds(1), clock: clock)
        let lapses = Tally()
        let renewedAt = Collected<Duration>()
        etcd.fail(with: .unavailable)
        let keeping = Task {
            try await keeper.run(
                sinceGrant: clock.stopwatch(), onLapse: { _ in lapses.add() },
                onRenewal: { sent in
                    renewedAt.append(clock.now.offset - sent.elapsed())
                    return true
                })
        }
        func pass(until end: Duration) async throws {
            while clock.now.offset < end {
                try await eventually("it sleeps") { clock.sleepers == 1 }
                clock.advance(by: .milliseconds(100))
            }
            try await eventually("it sleeps") { clock.sleepers == 1 }
        }
        try await pass(until: .milliseconds(4900))
        #expect(lapses.count == 0)
        try await pass(until: .seconds(5))
        // Once, however long it takes; also far beyond the time to live.
        try await pass(until: .seconds(60))
        #expect(lapses.count == 1)
        etcd.fail(with: nil)
        try await pass(until: .seconds(62))
        let first = try #require(renewedAt.all.first)
        // It asked at least every third of the time to live.
        #expect(first <= .seconds(62))
        // From here on it is as before: it lapses again, that long after the last renewal was sent.
        etcd.fail(with: .unavailable)
        let last = try #require(renewedAt.all.last)
        try await pass(until: last + .milliseconds(4900))
        #expect(lapses.count == 1)
        try await pass(until: last + .milliseconds(5100))
        #expect(lapses.count == 2)
        etcd.fail(with: .leaseNotFound)
        while clock.now.offset < .seconds(80), etcd.refusals == 0 {
            try await eventually("it sleeps or has ended") { clock.sleepers == 1 || etcd.refusals > 0 }
            clock.advance(by: .milliseconds(100))
        }
        #expect(try await keeping.value == .gone)
    }

    @Test func aHolderThatMayNotRenewLetsTheLeaseLapse() async throws {
        let etcd = SilentStore()
        let clock = ManualClock()
        let lease = Lease(id: LeaseID(1), timeToLive: .seconds(6))
        let keeper = LeaseKeeper(store: etcd, lease: lease, margin: .seconds(1), clock: clock)
        let isHung = Flag()
        isHung.set()
        let keeping = Task { try await keeper.run(sinceGrant: clock.stopwatch(), mayRenew: { !isHung.isSet }) }
        while clock.now.offset < .seconds(5) {
            try await eventually("it sleeps") { clock.sleepers == 1 }
            clock.advance(by: .milliseconds(100))
        }
        #expect(try await keeping.value == .notRenewedInTime(lastError: nil))
        #expect(etcd.renewals == 0)
    }
}

/// Answers renewals, until told to fail them.
private final class SilentStore: EtcdStore {
    private let failure = Shared<EtcdError.Code?>(nil)
    private let renewed = Tally()
    private let refused = Tally()

    var renewals: Int { renewed.count }
    /// How often it has said that there is no such lease.
    var refusals: Int { refused.count }

    /// Fails from now on, or with nil no more.
    func fail(with code: EtcdError.Code?) { failure.withLock { $0 = code } }

    func keepAlive(_ lease: LeaseID, within limit: Duration) async throws(EtcdError) {
        if let code = failure.current {
            if code == .leaseNotFound { refused.add() }
            throw EtcdError(code: code, operation: "renew", endpoint: "test", text: "cut off", outcome: .notApplied)
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
