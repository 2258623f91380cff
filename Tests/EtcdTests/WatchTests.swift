import Etcd
import LocalCluster
import TestKit
import Testing

@Suite struct WatchTests {
    private let root = "/watch-\(UInt64.random(in: .min ... .max))/"

    private func key(_ name: String) -> Key { Key(root + name) }

    @Test func putsAndDeletesComeInOrderWithTheirRevisions() async throws {
        let client = try await TestEtcd.server().client()
        let first = try await client.put(key("a"), [1])
        try await client.put(key("b"), [2])
        let deleted = try await client.transaction(Transaction().then(.delete(key("a")))).revision
        // Of another prefix, and of one revision.
        try await client.put(Key("/elsewhere"), [])
        _ = try await client.transaction(Transaction().then(.put(key("c"), [3]), .put(key("d"), [4])))
        var events: [WatchEvent] = []
        for try await batch in client.watch(.prefix(key("")), from: first) {
            guard case .events(let more) = batch else { break }
            events += more
            if events.count == 5 { break }
        }
        #expect(events.map(\.key) == ["a", "b", "a", "c", "d"].map(key))
        guard case .delete(_, let revision, _) = events[2] else {
            Issue.record("expected a deletion")
            return
        }
        #expect(revision == deleted)
        #expect(events[3].revision == events[4].revision)
    }

    @Test func aResponseInFragmentsArrivesWhole() async throws {
        let client = try await TestEtcd.server().client()
        // More than the server sends in one message, all of one revision.
        let value = [UInt8](repeating: 7, count: 300_000)
        let before = try await client.put(key("start"), [])
        for round in 0..<3 {
            _ = try await client.transaction(
                Transaction().then((0..<4).map { .put(key("big/\(round)-\($0)"), value) }))
        }
        var batches: [[Key]] = []
        for try await batch in client.watch(.prefix(key("big/")), from: before) {
            guard case .events(let events) = batch else { break }
            batches.append(events.map(\.key))
            if batches.joined().count == 12 { break }
        }
        #expect(batches.joined().count == 12)
        #expect(Set(batches.joined()).count == 12)
    }

    @Test func cancellingTheTaskEndsTheWatch() async throws {
        let client = try await TestEtcd.server().client()
        let revision = try await client.put(key("a"), [])
        let isOpen = Flag()
        let task = Task { for try await _ in client.watch(.prefix(key("")), from: revision) { isOpen.set() } }
        try await eventually("the first event") { isOpen.isSet }
        task.cancel()
        let error = await #expect(throws: EtcdError.self) { try await task.value }
        #expect(error?.code == .cancelled)
    }
}
