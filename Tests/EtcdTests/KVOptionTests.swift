import Etcd
import LocalCluster
import TestKit
import Testing

/// Every option of reads and writes, against a real server.
@Suite struct KVOptionTests {
    private let root = "/options-\(UInt64.random(in: .min ... .max))/"

    private func key(_ name: String) -> Key { Key(root + name) }

    private func client() async throws -> EtcdClient { try await TestEtcd.server().client() }

    /// c is created first, a second, b third; then c is changed.
    private func fill(_ client: EtcdClient) async throws -> (c: Int64, a: Int64, b: Int64, changed: Int64) {
        let c = try await client.put(key("c"), [3])
        let a = try await client.put(key("a"), [2])
        let b = try await client.put(key("b"), [1])
        return (c, a, b, try await client.put(key("c"), [4]))
    }

    private func names(_ client: EtcdClient, _ change: (inout RangeRequest) -> Void) async throws -> [Key] {
        var request = RangeRequest(.prefix(key("")))
        change(&request)
        return try await client.range(request).pairs.map(\.key)
    }

    @Test func pairsComeInAnyOrder() async throws {
        let client = try await client()
        _ = try await fill(client)
        let orders: [(RangeRequest.Sort, [String])] = [
            (.ascending(.key), ["a", "b", "c"]), (.descending(.key), ["c", "b", "a"]),
            (.ascending(.createRevision), ["c", "a", "b"]), (.descending(.createRevision), ["b", "a", "c"]),
            (.ascending(.modRevision), ["a", "b", "c"]), (.descending(.modRevision), ["c", "b", "a"]),
            (.ascending(.value), ["b", "a", "c"]), (.descending(.version), ["c", "a", "b"]),
        ]
        for (sort, expected) in orders {
            let found = try await names(client) { $0.sort = sort }
            // Equal versions come in no particular order.
            if sort.target == .version {
                #expect(found.first == key("c") && Set(found) == Set(expected.map(key)))
            } else {
                #expect(found == expected.map(key), "\(sort)")
            }
        }
    }

    @Test func revisionsBoundWhatIsReturned() async throws {
        let client = try await client()
        let revisions = try await fill(client)
        var found = try await names(client) { $0.minimumModRevision = revisions.b }
        #expect(found == [key("b"), key("c")])
        found = try await names(client) { $0.maximumModRevision = revisions.a }
        #expect(found == [key("a")])
        found = try await names(client) { $0.minimumCreateRevision = revisions.a }
        #expect(found == [key("a"), key("b")])
        found = try await names(client) { $0.maximumCreateRevision = revisions.c }
        #expect(found == [key("c")])
    }

    @Test func aSerializableReadIsNeverOlderThanWhatTheClientHasSeen() async throws {
        let client = try await client()
        for number in 0..<20 {
            let revision = try await client.put(key("s"), [UInt8(number)])
            var request = RangeRequest(.key(key("s")))
            request.isSerializable = true
            let response = try await client.range(request)
            #expect(response.revision >= revision)
            #expect(response.pairs.first?.value == [UInt8(number)])
        }
    }

    @Test func whatWasThereBeforeIsReturned() async throws {
        let client = try await client()
        let first = try await client.put(key("p"), [1])
        var put = PutRequest(key("p"), [2])
        put.returnsPrevious = true
        let response = try await client.put(put)
        #expect(response.previous?.value == [1] && response.previous?.modRevision == first)
        var delete = DeleteRequest(.prefix(key("p")))
        delete.returnsPrevious = true
        let deleted = try await client.delete(delete)
        #expect(deleted.deleted == 1 && deleted.previous.map(\.value) == [[2]])
        let again = try await client.delete(delete)
        #expect(again.deleted == 0 && again.previous.isEmpty)
        let fresh = try await client.put(put)
        #expect(fresh.previous == nil)
    }

    @Test func aTransactionReturnsWhatWasThereBefore() async throws {
        let client = try await client()
        try await client.put(key("t"), [7])
        var put = PutRequest(key("t"), [8])
        put.returnsPrevious = true
        var delete = DeleteRequest(.key(key("u")))
        delete.returnsPrevious = true
        try await client.put(key("u"), [9])
        let response = try await client.transaction(Transaction().then(.put(put), .deleteRange(delete)))
        guard case .put(let previous) = response.results.first, case .deleteRange(1, let gone) = response.results.last
        else {
            Issue.record("unexpected results \(response.results)")
            return
        }
        #expect(previous?.value == [7])
        #expect(gone.map(\.value) == [[9]])
    }

    @Test func aPutCanKeepTheLeaseOnlyOfAKeyThatExists() async throws {
        let client = try await client()
        var put = PutRequest(key("absent"), [1])
        put.keepsLease = true
        let error = await #expect(throws: EtcdError.self) { try await client.put(put) }
        #expect(error?.outcome == .notApplied)
    }

    @Test func conditionsLookAtEveryProperty() async throws {
        let client = try await client()
        let lease = try await client.grantLease(timeToLive: .seconds(60))
        let revision = try await client.put(key("l"), [1], lease: lease.id)
        let holds: [Compare] = [
            key("l").version == 1, key("l").createRevision == revision, key("l").modRevision < revision + 1,
            key("l").value != [2], Compare(.key(key("l")), .equal, .lease(lease.id.rawValue)),
            Compare(.prefix(key("")), .greater, .version(0)),
        ]
        let fails: [Compare] = [
            key("l").version > 1, key("l").createRevision != revision, key("l").modRevision < revision,
            key("l").value == [2], Compare(.key(key("l")), .equal, .lease(0)), KeyRange.prefix(key("")).isEmpty,
        ]
        for compare in holds {
            let response = try await client.transaction(Transaction().when(compare))
            #expect(response.succeeded, "\(compare)")
        }
        for compare in fails {
            let response = try await client.transaction(Transaction().when(compare))
            #expect(!response.succeeded, "\(compare)")
        }
        try await client.revoke(lease.id)
    }
}
