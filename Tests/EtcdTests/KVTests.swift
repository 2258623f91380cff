import Etcd
import LocalCluster
import TestKit
import Testing

@Suite struct KVTests {
    private let root = "/kv-\(UInt64.random(in: .min ... .max))/"

    private func key(_ name: String) -> Key { Key(root + name) }

    private func client() async throws -> EtcdClient { try await TestEtcd.server().client() }

    @Test func whatIsPutIsRead() async throws {
        let client = try await client()
        let first = try await client.put(key("a"), [0, 255, 1])
        let second = try await client.put(key("a"), [2])
        let response = try await client.range(.key(key("a")))
        let pair = try #require(response.pairs.first)
        #expect(pair.value == [2])
        #expect(pair.createRevision == first)
        #expect(pair.modRevision == second)
        #expect(pair.version == 2)
        #expect(pair.lease == nil)
        #expect(response.revision >= second)
    }

    @Test func anAbsentKeyIsAnEmptyAnswer() async throws {
        let response = try await client().range(.key(key("nothing")))
        #expect(response.pairs.isEmpty && response.count == 0 && !response.hasMore)
    }

    @Test func anOldRevisionShowsTheOldValue() async throws {
        let client = try await client()
        let revision = try await client.put(key("a"), [1])
        try await client.put(key("a"), [2])
        let response = try await client.range(RangeRequest(.key(key("a")), revision: revision))
        #expect(response.pairs.map(\.value) == [[1]])
    }

    @Test func prefixLimitKeysOnlyAndCount() async throws {
        let client = try await client()
        for name in ["p/a", "p/b", "p/c", "q"] { try await client.put(key(name), Array(name.utf8)) }
        var request = RangeRequest(.prefix(key("p/")), limit: 2)
        request.keysOnly = true
        let limited = try await client.range(request)
        #expect(limited.pairs.map(\.key) == [key("p/a"), key("p/b")])
        #expect(limited.pairs.allSatisfy { $0.value.isEmpty })
        #expect(limited.hasMore && limited.count == 3)
        request.countOnly = true
        #expect(try await client.range(request).count == 3)
        #expect(try await client.range(RangeRequest(.from(key("p/b"), upTo: key("q")))).pairs.count == 2)
    }

    @Test func pagesShowOneRevisionWhileOthersWrite() async throws {
        let client = try await client()
        for number in 0..<25 { try await client.put(key("page/\(100 + number)"), [1]) }
        var keys: [Key] = []
        var revisions: Set<Int64> = []
        for try await page in client.pages(of: .prefix(key("page/")), pageSize: 7) {
            keys += page.pairs.map(\.key)
            revisions.formUnion(page.pairs.map(\.modRevision))
            // Neither appears in a later page.
            try await client.put(key("page/999"), [2])
            try await client.delete(.key(key("page/124")))
        }
        #expect(keys == (0..<25).map { key("page/\(100 + $0)") })
    }

    @Test func aTransactionTakesTheBranchThatItsConditionsSay() async throws {
        let client = try await client()
        let revision = try await client.put(key("a"), [1])
        func attempt(_ conditions: Compare...) async throws -> TransactionResponse {
            try await client.transaction(
                Transaction().when(conditions).then(.put(key("b"), [7])).otherwise(.get(key("a")), .get(key("c"))))
        }
        let held = try await attempt(
            key("a").modRevision == revision, key("a").isPresent, key("c").isAbsent, key("a").version < 2,
            key("a").value == [1], key("a").createRevision > 0, KeyRange.prefix(key("c/")).isEmpty)
        #expect(held.succeeded)
        #expect(held.results == [.put(previous: nil)])
        let refused = try await attempt(key("a").modRevision == revision, key("a").value != [1])
        #expect(!refused.succeeded)
        #expect(refused.reads.map { $0.map(\.value) } == [[[1]], []])
    }

    @Test func aTransactionReadsItsOwnWrites() async throws {
        let response = try await client().transaction(
            Transaction().then(
                .put(key("a"), [1]), .get(key("a")), .delete(key("x")), .range(RangeRequest(.prefix(key(""))))))
        #expect(response.reads.first?.first?.value == [1])
        #expect(response.results.contains(.deleteRange(deleted: 0, previous: [])))
    }

    @Test func deletingTellsHowMany() async throws {
        let client = try await client()
        for name in ["d/1", "d/2", "d/3"] { try await client.put(key(name), []) }
        #expect(try await client.delete(.prefix(key("d/"))) == 3)
        #expect(try await client.delete(.prefix(key("d/"))) == 0)
    }

    // MARK: Errors

    private func code(_ body: () async throws -> Void) async -> EtcdError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? EtcdError)?.code
        }
    }

    @Test func errorsAreTellingByCodeAndText() async throws {
        let client = try await client()
        let future = try await client.put(key("a"), [1]) + 1_000_000
        #expect(
            await code { _ = try await client.range(RangeRequest(.key(key("a")), revision: future)) } == .futureRevision
        )
        #expect(await code { _ = try await client.range(.key("")) } == .invalidRequest)
        #expect(await code { try await client.put(key("a"), [], lease: LeaseID(12345)) } == .leaseNotFound)
        #expect(await code { try await client.put(key("a"), [UInt8](repeating: 1, count: 1_600_000)) } == .tooLarge)
        #expect(await code { try await client.put(key("a"), [UInt8](repeating: 1, count: 3 << 20)) } == .tooLarge)
        let twice = Transaction().then(.put(key("a"), [1]), .put(key("a"), [2]))
        #expect(await code { _ = try await client.transaction(twice) } == .invalidRequest)
        let many = Transaction().then((0..<129).map { .put(key("many/\($0)"), []) })
        #expect(await code { _ = try await client.transaction(many) } == .invalidRequest)
    }

    @Test func aRefusedWriteIsKnownNotToBeApplied() async throws {
        let client = try await client()
        let error = await #expect(throws: EtcdError.self) {
            try await client.put(key("a"), [], lease: LeaseID(12345))
        }
        #expect(error?.outcome == .notApplied)
        #expect("\(try #require(error))".contains("\(key("a"))"))
    }

    @Test func anUnreachableServerIsUnavailableWithinTheDeadline() async throws {
        var options = EtcdOptions()
        options.callTimeout = .milliseconds(300)
        let client = EtcdClient(endpoints: ["127.0.0.1:1"], options: options)
        let begun = ContinuousClock.now
        let error = await #expect(throws: EtcdError.self) { try await client.range(.key("a")) }
        #expect(error?.code == .unavailable)
        #expect(error?.isRetriable == true)
        #expect(error?.endpoint == "127.0.0.1:1")
        #expect(ContinuousClock.now - begun < .seconds(5))
    }

    @Test func theTasksDeadlineEndsACallEarlier() async throws {
        let client = EtcdClient(endpoints: ["127.0.0.1:1"])
        let begun = ContinuousClock.now
        await EtcdDeadline.$current.withValue(.now + .milliseconds(100)) {
            _ = await #expect(throws: EtcdError.self) { try await client.range(.key("a")) }
        }
        #expect(ContinuousClock.now - begun < .seconds(4))
    }
}
