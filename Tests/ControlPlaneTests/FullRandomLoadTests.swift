import ControlPlane
import Etcd
import Foundation
import History
import LocalCluster
import ServiceKit
import SubstrateModel
import SubstrateStore
import Synchronization
import TestKit
import Testing

/// Half a minute of random operations while nodes die and come back. The whole history is replayed afterwards, and what
/// must always hold is checked at every revision.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] != nil)) struct FullRandomLoadTests {
    private static let actors = (0..<24).map { "actor-\($0)" }
    private static let nodes = ["a", "b", "c"]
    private static let duration: Duration = .seconds(30)

    @Test func whatMustHoldHoldsAtEveryRevision() async throws {
        try await TestEtcd.withServer { server in
            let store = Store(etcd: server.client())
            let cluster = try await TestCluster(store)
            for name in Self.actors { _ = try await cluster.fixture.createActor(name) }
            let done = Tally()
            let deaths = Tally()
            try await cluster.run {
                let end = ContinuousClock.now + Self.duration
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for node in Self.nodes {
                        group.addTask { try await self.live(node, in: cluster, until: end, deaths) }
                    }
                    for seed in 0..<8 {
                        group.addTask { await self.load(cluster, seed: UInt64(seed), until: end, done) }
                    }
                    try await group.waitForAll()
                }
                // Quiet: every actor reaches a stable state by itself, no operation is left, no binding to a node that is
                // gone. One node has stayed, with what runs on it.
                let operations = KeyRange.prefix(Key(store.keys.root + "operations/"))
                try await eventually("everything is stable") {
                    let listing = try await store.listWorkers()
                    let states = try await store.actors(Self.actors.map(cluster.fixture.ref)).compactMap {
                        try $0.get()?.value.status
                    }
                    let left = try await store.etcd.range(RangeRequest(operations)).pairs
                    // Those that were stopped last may be on their way out.
                    return listing.live.count == 2 && left.isEmpty
                        && states.allSatisfy { [.suspended, .paused, .running].contains($0) }
                        && listing.bound.allSatisfy { listing.live[$0]?.incarnation == $1.value.incarnation }
                }
                // What it has left can be used: no actor is kept from anyone.
                for name in Self.actors {
                    let ref = cluster.fixture.ref(name)
                    if try await cluster.fixture.current(name).value.status == .running {
                        _ = try await cluster.control.suspendActor(ref)
                    }
                }
                for name in Self.actors {
                    let ref = cluster.fixture.ref(name)
                    if try await cluster.fixture.current(name).value.status == .paused {
                        _ = try await cluster.control.resumeActor(ref)
                    }
                    _ = try await cluster.control.suspendActor(ref)
                }
                #expect(try await store.listWorkers().bound.isEmpty)
            }
            let checked = try await checkHistory(of: store)
            #expect(done.count > 500, "only \(done.count) operations got through")
            #expect(deaths.count > 10)
            print("\(done.count) operations, \(deaths.count) deaths of nodes, \(checked) revisions checked")
        }
    }

    /// A node of two workers that dies again and again. At the end the first of them comes back and stays.
    private func live(_ name: String, in cluster: TestCluster, until end: ContinuousClock.Instant, _ deaths: Tally)
        async throws
    {
        var round = 0
        while ContinuousClock.now < end {
            let node = try await cluster.addNode("\(name)\(round)", workers: 2)
            try await Task.sleep(for: .milliseconds(Int.random(in: 100...1500)))
            cluster.stop(node)
            deaths.add()
            round += 1
        }
        if name == Self.nodes.first { _ = try await cluster.addNode("\(name)\(round)", workers: 2) }
    }

    private func load(
        _ cluster: TestCluster, seed: UInt64, until end: ContinuousClock.Instant, _ done: Tally
    ) async {
        let chance = Chance(SeededGenerator(seed: seed))
        while ContinuousClock.now < end {
            let ref = cluster.fixture.ref(Self.actors[chance.number(in: 0..<Self.actors.count)])
            do {
                switch chance.number(in: 0..<10) {
                case 0..<5: _ = try await cluster.control.resumeActor(ref)
                case 5..<7: _ = try await cluster.control.suspendActor(ref)
                case 7..<9: _ = try await cluster.control.pauseActor(ref)
                default:
                    guard let actor = try await cluster.store.actor(ref) else { continue }
                    var changed = actor.value
                    changed.workerSelector = Selector(matchLabels: ["size": "small"])
                    _ = try await cluster.store.updateActor(ref, from: actor, to: changed)
                }
                done.add()
            } catch {
                // Races, full pools and dying nodes are what this is about; that something is refused is no failure.
            }
        }
    }
}

/// Checks everything that has happened in a store, revision by revision. Returns how many there were.
private func checkHistory(of store: Store) async throws -> Int {
    // The end of the history is a put of our own.
    let end = Key(store.keys.root + "end-of-history")
    _ = try await store.etcd.transaction(Transaction().then(.put(end, [])))
    var checker = HistoryChecker(keys: store.keys)
    var checked = 0
    for try await batch in store.etcd.watch(.prefix(Key(store.keys.root)), from: 1) {
        guard case .events(let events) = batch else {
            throw DidNotHappen(description: "a history without compaction")
        }
        for change in Change.changes(in: events) {
            if change.events.contains(where: { $0.key == end }) {
                #expect(checker.leftovers().isEmpty)
                return checked
            }
            let violations = checker.apply(change).violations
            #expect(violations.isEmpty)
            checked += 1
        }
    }
    throw DidNotHappen(description: "the end of the history")
}
