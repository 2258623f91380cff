import Etcd
import LocalCluster
import TestKit
import Testing

/// Sessions, locks and elections, and the fences that they hand out.
@Suite struct SessionTests {
    private let root = "/session-\(UInt64.random(in: .min ... .max))/"

    private func key(_ name: String) -> Key { Key(root + name) }

    private func exists(_ key: Key) async throws -> Bool {
        try await TestEtcd.server().client().range(.key(key)).count > 0
    }

    @Test func aSessionsKeyLivesAsLongAsItsWork() async throws {
        let client = try await TestEtcd.server().client()
        let (seen, during) = try await client.withSession(under: key("s/"), value: [7]) { session in
            let response = try await client.transaction(Transaction().when(session.fence).then(.get(session.key)))
            return (session.key, response)
        }
        #expect(during.succeeded && during.reads.first?.first?.value == [7])
        let isLeft = try await exists(seen)
        #expect(!isLeft)
    }

    @Test func theWorkIsCancelledWithTheReasonWhenTheLeaseIsLost() async throws {
        let client = try await TestEtcd.server().client()
        let wasCancelled = Flag()
        let fence = Collected<Compare>()
        let lost = await #expect(throws: SessionLost.self) {
            try await client.withSession(under: key("lost/"), timeToLive: .seconds(3)) { session in
                fence.append(session.fence)
                try await client.revoke(session.lease.id)
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
                wasCancelled.set()
            }
        }
        #expect(lost == .lease(.gone))
        #expect(wasCancelled.isSet)
        // What was held no longer gets anything done.
        let late = Transaction().when(try #require(fence.all.first)).then(.put(key("late"), []))
        let response = try await client.transaction(late)
        #expect(!response.succeeded)
    }

    @Test func aLockIsHeldByOneAtATimeInTheOrderOfAsking() async throws {
        let client = try await TestEtcd.server().client()
        let holders = Tally()
        let revisions = Collected<Int64>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try await client.withSession(under: key("lockers/")) { session in
                        for _ in 0..<3 {
                            try await session.withLock(key("lock")) { lock in
                                holders.add()
                                #expect(holders.count == 1)
                                let write = Transaction().when(lock.fence).then(.put(key("protected"), []))
                                let response = try await client.transaction(write)
                                #expect(response.succeeded)
                                revisions.append(lock.revision)
                                holders.subtract()
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let order = revisions.all
        #expect(order.count == 24 && order == order.sorted())
    }

    @Test func aHolderThatIsDeposedCannotWriteAndIsCancelled() async throws {
        let client = try await TestEtcd.server().client()
        let lost = await #expect(throws: SessionLost.self) {
            try await client.withSession(under: key("deposed/")) { session in
                try await session.withLock(key("lock")) { lock in
                    try await client.delete(.key(lock.key))
                    let response = try await client.transaction(
                        Transaction().when(lock.fence).then(.put(key("late"), [])))
                    #expect(!response.succeeded)
                    while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
                }
            }
        }
        guard case .keyDeleted = lost else {
            Issue.record("expected the deletion of the key, got \(String(describing: lost))")
            return
        }
    }

    @Test func whoGivesUpWaitingLeavesTheQueue() async throws {
        let client = try await TestEtcd.server().client()
        try await client.withSession(under: key("waiting/")) { session in
            try await session.withLock(key("lock")) { _ in
                let waiting = Task {
                    try await client.withSession(under: key("waiting/")) { other in
                        try await other.withLock(key("lock")) { _ in Issue.record("the lock was held") }
                    }
                }
                try await eventually("two candidates") {
                    try await client.range(RangeRequest(.prefix(key("lock/")))).count == 2
                }
                waiting.cancel()
                _ = await waiting.result
                let left = try await client.range(RangeRequest(.prefix(key("lock/"))))
                #expect(left.count == 1)
            }
        }
    }

    @Test func leadersFollowEachOtherAndAreObserved() async throws {
        let client = try await TestEtcd.server().client()
        let seen = Collected<[UInt8]?>()
        let observing = Task {
            for try await leader in client.leaders(of: key("election")) { seen.append(leader?.value) }
        }
        @Sendable func waitFor(_ values: [[UInt8]?]) async throws {
            try await eventually("\(values) were seen, now \(seen.all)") { seen.all == values }
        }
        try await waitFor([nil])
        let firstMayGo = Gate()
        let first = Task {
            try await client.withSession(under: key("campaign/")) { session in
                try await session.withLeadership(of: key("election"), value: [1]) { leadership in
                    try await waitFor([nil, [1]])
                    try await leadership.proclaim([11])
                    await firstMayGo.pass()
                }
            }
        }
        try await waitFor([nil, [1], [11]])
        let second = Task {
            try await client.withSession(under: key("campaign/")) { session in
                try await session.withLeadership(of: key("election"), value: [2]) { _ in
                    while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
                }
            }
        }
        try await eventually("two candidates") {
            try await client.range(RangeRequest(.prefix(key("election/")))).count == 2
        }
        firstMayGo.open()
        try await first.value
        try await waitFor([nil, [1], [11], [2]])
        // Resigned on cancellation, at once and not when the lease expires.
        second.cancel()
        _ = await second.result
        try await waitFor([nil, [1], [11], [2], nil])
        observing.cancel()
    }
}
