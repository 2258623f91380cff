import ControlPlane
import Etcd
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// How many actors there are in which status, as the leader's watch tells, without any being remembered that is at rest.
@Suite struct ActorCensusTests {
    private func census(_ store: Store, _ table: inout LifecycleTable, since revision: Int64) async throws
        -> ActorCensus?
    {
        var watch = store.etcd.watch(store.keys.lifecycle, from: revision + 1).makeAsyncIterator()
        let now = try await store.etcd.range(RangeRequest(store.keys.lifecycle)).revision
        // A last change, by which the watch is seen to have told everything before it.
        let mark = try await store.etcd.transaction(
            Transaction().then(.put(Key("\(store.keys.root)meta/mark"), [1]))
        ).revision
        #expect(mark > now)
        while case .events(let events) = try await watch.next() {
            table.take(events, store.keys)
            if events.contains(where: { $0.revision >= mark }) { break }
        }
        return table.census
    }

    @Test func creationsChangesAndDeletionsAreCounted() async throws {
        let fixture = try await StoreFixture(TestEtcd.store())
        let (store, keys) = (fixture.store, fixture.store.keys)
        var table = LifecycleTable()
        #expect(table.census == nil)
        for name in ["a", "b", "c"] { _ = try await fixture.createActor(name) }
        let worker = try await fixture.register("w")
        try await fixture.running("a", on: worker)
        let listing = try await store.etcd.list(keys.lifecycle)
        table.take(listing, keys)
        #expect(table.census?.counts == [.running: 1, .suspended: 2])
        #expect(table.census?.stranded == 0)
        // Rows are kept of those that have a worker.
        let a = try await fixture.current("a")
        #expect(table.row(of: fixture.ref("a")) == a && table.row(of: fixture.ref("b")) == nil)

        try await fixture.suspended("a", on: worker)
        let other = try await fixture.register("v")
        try await fixture.running("b", on: other)
        _ = try await fixture.pausing("b", on: other)
        _ = try await fixture.createActor("d")
        let c = try await fixture.current("c")
        try await store.deleteActor(fixture.ref("c"), c)
        let after = try await census(store, &table, since: listing.revision)
        #expect(after?.counts == [.pausing: 1, .suspended: 2])
        let b = try await fixture.current("b")
        #expect(table.row(of: fixture.ref("b")) == b && table.row(of: fixture.ref("a")) == nil)
        // Listed anew it says the same.
        var anew = LifecycleTable()
        anew.take(try await store.etcd.list(keys.lifecycle), keys)
        #expect(anew.census == after)
    }
}
