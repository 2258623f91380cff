import Etcd
import LocalCluster
import TestKit
import Testing

/// A client that is confined to a prefix sees nothing else, and its keys without the prefix.
@Suite struct NamespaceTests {
    @Test func readsAndWritesStayInside() async throws {
        let client = try await TestEtcd.server().client()
        let root = Key("/namespace-\(UInt64.random(in: .min ... .max))/")
        let inside = client.namespace(root)
        try await client.put(Key("\(root)a"), [1])
        // The keys next to the namespace, on both sides.
        var before = root.bytes
        before[before.count - 1] -= 1
        var behind = root.bytes
        behind[behind.count - 1] += 1
        try await client.put(Key(bytes: before + [255]), [9])
        try await client.put(Key(bytes: behind), [9])

        let one = try await inside.range(.key("a"))
        #expect(one.pairs.map(\.key) == ["a"] && one.pairs.first?.value == [1])
        let all = try await inside.range(RangeRequest(.prefix("")))
        #expect(all.pairs.map(\.key) == ["a"])
        let from = try await inside.range(RangeRequest(.from("0", upTo: Key(bytes: [0]))))
        #expect(from.pairs.map(\.key) == ["a"])

        var put = PutRequest("b", [2])
        put.returnsPrevious = true
        let response = try await inside.transaction(
            Transaction().when(Key("a").isPresent, Key("b").isAbsent)
                .then(.put(put), .range(RangeRequest(.prefix("")))).otherwise(.get("a")).guarded())
        #expect(response.succeeded && response.reads.first?.map(\.key) == ["a", "b"])
        let outside = try await client.range(.key(Key("\(root)b")))
        #expect(outside.pairs.first?.value == [2])

        var delete = DeleteRequest(.prefix(""))
        delete.returnsPrevious = true
        let emptied = try await inside.transaction(Transaction().then(.deleteRange(delete)))
        guard case .deleteRange(2, let gone) = emptied.results.first else {
            Issue.record("unexpected \(emptied.results)")
            return
        }
        #expect(gone.map(\.key) == ["a", "b"])
        let neighbours = try await client.range(RangeRequest(.from(Key(bytes: before), upTo: Key(bytes: behind + [1]))))
        #expect(neighbours.count == 2)
    }

    @Test func watchesAndListingsSpeakOfTheKeysInside() async throws {
        let client = try await TestEtcd.server().client()
        let root = Key("/namespace-\(UInt64.random(in: .min ... .max))/")
        let inside = client.namespace(root).namespace("deep/")
        let revision = try await client.put(Key("\(root)deep/a"), [1])
        try await client.put(Key("\(root)elsewhere"), [1])
        try await client.delete(.key(Key("\(root)deep/a")))
        var request = WatchRequest(.prefix(""), from: revision)
        request.includesPrevious = true
        var events: [WatchEvent] = []
        for try await batch in inside.watch(request) {
            if case .events(let more) = batch { events += more }
            if events.count == 2 { break }
        }
        #expect(events.map(\.key) == ["a", "a"])
        #expect(events.last?.previous?.key == "a")
        let listing = try await inside.list(.prefix(""))
        #expect(listing.pairs.isEmpty)
    }

    @Test func locksOfANamespaceAreItsOwn() async throws {
        let client = try await TestEtcd.server().client()
        let root = Key("/namespace-\(UInt64.random(in: .min ... .max))/")
        let key = try await client.namespace(root).withSession(under: "sessions/") { session in
            try await session.withLock("lock") { lock in
                let held = try await client.range(RangeRequest(.prefix(Key("\(root)lock/"))))
                #expect(held.count == 1)
                return lock.key
            }
        }
        #expect("\(key)".hasPrefix("lock/"))
    }
}
