import Etcd
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Long listings, of which etcd is not asked to count what remains with every page.
@Suite struct ActorPageTests {
    /// Names as people choose them: numbers at the end, in the middle, at random, and of all lengths.
    private static func names(_ count: Int) -> [String] {
        var random = SeededGenerator(seed: 7)
        return (0..<count).flatMap { number in
            [
                "session-\(100_000 + number)", "user-\(100_000 + number)-of-the-helpdesk",
                String(random.next(), radix: 16), String(repeating: "a", count: 1 + number % 60) + "\(number)",
            ]
        }
    }

    @Test(arguments: [1, 7, 100]) func everyActorComesOnceInOrderHoweverMuchIsAskedForAtATime(
        _ limit: Int
    ) async throws {
        let store = try await TestEtcd.store()
        let ranges = InterceptedEtcd(store.etcd)
        let counted = Store(etcd: ranges, keys: store.keys)
        let template = TemplateRef(namespace: "n", name: "t")
        var expected: [ActorRef] = []
        for atespace in ["default", "default-2", "d"] {
            for name in Self.names(atespace == "default" ? 200 : 20) {
                expected.append(ActorRef(atespace: atespace, name: name))
            }
        }
        for start in stride(from: 0, to: expected.count, by: 100) {
            let puts = expected[start..<min(start + 100, expected.count)].map { ref in
                Transaction.Operation.put(
                    store.keys.actor(ref),
                    Actor(uid: "uid-\(ref.name)", template: template).record(after: Codec.magic))
            }
            _ = try await store.etcd.transaction(Transaction().then(puts))
        }
        expected.sort { store.keys.actor($0) < store.keys.actor($1) }

        for atespace in [nil, "default", "d", "nobody"] as [String?] {
            let wanted = expected.filter { atespace == nil || $0.atespace == atespace }
            var listed: [ActorRef] = []
            var cursor: Store.ActorCursor?
            ranges.resetCounts()
            repeat {
                let page = try await counted.listActors(in: atespace, after: cursor, limit: limit, widestRange: 50)
                #expect(page.actors.count <= limit)
                for (index, (ref, actor)) in page.actors.enumerated() {
                    #expect(actor.value.uid == "uid-\(ref.name)")
                    // Of the remarks in between only the order of magnitude matters; these are exact.
                    #expect(page.cursor(behind: index).remaining == wanted.count - listed.count - index - 1)
                }
                listed += page.actors.map(\.ref)
                cursor = page.next
            } while cursor != nil
            #expect(listed == wanted)
            // The first page walks through everything. The others do not, and hardly ask more than twice each, but where names get
            // shorter or longer.
            if wanted.count > 700 {
                let each = wanted.count * wanted.count / (2 * limit)
                if limit < 100 { #expect(ranges.keysWalked < each / 2) }
                #expect(ranges.counts.ranges < 3 * wanted.count / limit + 200)
            }
        }
    }

    /// Cursors come from clients, in tokens that nobody has signed.
    @Test(arguments: [0, 1, 1000, Int.max]) func whateverNumbersACursorHasTheActorsBehindItAreListed(
        _ shared: Int
    ) async throws {
        let store = try await TestEtcd.store()
        let fixture = try await StoreFixture(store)
        for name in ["a1", "a2", "b1"] { _ = try await fixture.createActor(name) }
        let revision = try await store.listActors(in: nil, after: nil, limit: 1).revision
        let cursor = Store.ActorCursor(
            revision: revision, last: fixture.ref("a1"), remaining: .max, shared: shared)
        let page = try await store.listActors(in: "default", after: cursor, limit: 1)
        #expect(page.actors.map(\.ref.name) == ["a2"] && page.next != nil)
        let last = try await store.listActors(in: "default", after: page.next, limit: 5)
        #expect(last.actors.map(\.ref.name) == ["b1"] && last.next == nil)
    }

    @Test func whoGoesOnFromAnActorThatIsGoneByNowStillSeesTheSameState() async throws {
        let store = try await TestEtcd.store()
        let fixture = try await StoreFixture(store)
        for name in ["a1", "a2", "a3", "b1"] { _ = try await fixture.createActor(name) }
        let first = try await store.listActors(in: "default", after: nil, limit: 2, widestRange: 0)
        #expect(first.actors.map(\.ref.name) == ["a1", "a2"] && first.hasMore && first.remaining == 2)
        for name in ["a2", "a3"] {
            _ = try await store.deleteActor(fixture.ref(name), try await fixture.current(name))
        }
        let rest = try await store.listActors(in: "default", after: first.next, limit: 5, widestRange: 0)
        #expect(rest.actors.map(\.ref.name) == ["a3", "b1"] && !rest.hasMore && rest.next == nil)
    }
}
