import ControlPlane
import Etcd
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// What is known of the workers, whatever the order in which the news comes.
@Suite struct WorkerTableTests {
    private let pool = PoolRef(namespace: "default", name: "pool")
    private var worker: WorkerRef { WorkerRef(pool: pool, pod: "w") }

    private func presence(_ create: Int64, _ mod: Int64? = nil, draining: Bool = false) -> Stored<Presence> {
        Stored(
            value: Presence(
                uid: "u", node: "n", bootID: "b", directoryID: "d",
                agentAddress: "a", sandboxClass: .process, drainingUntilMilliseconds: draining ? 1 : nil),
            createRevision: create, modRevision: mod ?? create, version: 1)
    }

    private func binding(_ revision: Int64, to incarnation: Int64) -> Stored<Binding> {
        .created(
            Binding(
                actor: ActorRef(atespace: "default", name: "a"), actorUID: "u",
                template: TemplateRef(namespace: "n", name: "t"), incarnation: Incarnation(incarnation), phase: .ready),
            at: revision)
    }

    private func listing(_ revision: Int64, live: Stored<Presence>? = nil, bound: Stored<Binding>? = nil)
        -> WorkerListing
    {
        var listing = WorkerListing(Listing(pairs: [], revision: revision), Keys(root: "/"))
        listing.live[worker] = live
        listing.bound[worker] = bound
        return listing
    }

    @Test func aWorkerIsFreeBoundDrainingOrLost() {
        #expect(WorkerRow(presence: presence(1)).isFree)
        #expect(!WorkerRow(presence: presence(1, draining: true)).isFree)
        #expect(!WorkerRow(presence: presence(1), binding: binding(2, to: 1)).isFree)
        #expect(!WorkerRow(presence: presence(1), binding: binding(2, to: 1)).isLost)
        #expect(WorkerRow(binding: binding(2, to: 1)).isLost)
        #expect(WorkerRow(presence: presence(3), binding: binding(2, to: 1)).isLost)
        #expect(!WorkerRow(presence: presence(1, draining: true), binding: binding(2, to: 1)).isLost)
    }

    @Test func whoBecomesLostAndWhoIsSoNoMoreIsToldOnce() {
        var table = WorkerTable(keepsLossNews: true)
        table.put(presence(1), of: worker)
        table.put(binding(2, to: 1), of: worker)
        #expect(table.takeLossNews() == [])
        table.remove(.live(worker), at: 3)
        table.put(presence(4), of: worker)
        #expect(table.takeLossNews() == [.lost(worker)])
        #expect(table.takeLossNews() == [])
        table.remove(.bound(worker), at: 5)
        #expect(table.takeLossNews() == [.over(worker)])
        // A listing tells the same, and whoever does not ask is not kept waiting for.
        var other = WorkerTable()
        other.take(listing(6, bound: binding(5, to: 1)))
        #expect(other.lost == [worker] && other.takeLossNews() == [])
    }

    @Test func onlyWorkersOfTheNodesThatWillDoAreReserved() {
        var table = WorkerTable()
        for (revision, node) in ["a", "b", "a", "c"].enumerated() {
            var stored = presence(Int64(revision + 1))
            stored.value.node = node
            table.put(stored, of: WorkerRef(pool: pool, pod: "\(node)-\(revision)"))
        }
        let chance = Chance(SystemRandomNumberGenerator())
        #expect(table.reserve(WorkerDemand(pools: [pool], nodes: ["x"]), chance) == nil)
        #expect(table.reserve(WorkerDemand(pools: [pool], nodes: []), chance) == nil)
        #expect(
            table.reserve(WorkerDemand(pools: [PoolRef(namespace: "default", name: "other")], nodes: ["a"]), chance)
                == nil)
        let reserved = (0..<3).map { _ in table.reserve(WorkerDemand(pools: [pool], nodes: ["a"]), chance)?.ref.pod }
        #expect(Set(reserved) == ["a-0", "a-2", nil] && reserved.last == .some(nil))
        #expect(table.freeCount(in: pool) == 2)
        table.unreserve(WorkerRef(pool: pool, pod: "a-2"))
        #expect(table.reserve(WorkerDemand(pools: [pool], nodes: ["a", "b"]), chance) != nil)
        #expect(table.freeCount(in: pool) == 2)
    }

    @Test func eventsMakeAWorkerFreeBoundLostAndForgotten() {
        var table = WorkerTable()
        table.put(presence(1), of: worker)
        #expect(table.freeCount(in: pool) == 1)
        table.put(binding(2, to: 1), of: worker)
        #expect(table.freeCount(in: pool) == 0 && table.lost.isEmpty)
        table.remove(.live(worker), at: 3)
        #expect(table.lost == [worker])
        table.remove(.bound(worker), at: 4)
        #expect(table.lost.isEmpty && table.rows.isEmpty)
    }

    @Test func oldNewsChangesNothing() {
        var table = WorkerTable()
        table.put(presence(5), of: worker)
        let isDeletionNews = table.remove(.live(worker), at: 4)
        let isPutNews = table.put(presence(3), of: worker)
        #expect(!isDeletionNews && !isPutNews)
        #expect(table.rows[worker]?.presence == presence(5))
        table.remove(.live(worker), at: 6)
        // The put that the deletion has already undone comes late.
        let isLatePutNews = table.put(presence(5), of: worker)
        #expect(!isLatePutNews && table.rows[worker] == nil)
        let isNewPutNews = table.put(presence(7), of: worker)
        #expect(isNewPutNews)
    }

    @Test func aListingFindsWhatTheWatchHasLost() {
        var table = WorkerTable()
        table.take(listing(10, live: presence(1), bound: binding(2, to: 1)))
        #expect(table.lost.isEmpty)
        // The presence was deleted and no event told of it.
        let news = table.take(listing(20, bound: binding(2, to: 1)))
        #expect(news == [worker] && table.lost == [worker])
        let again = table.take(listing(20, bound: binding(2, to: 1)))
        #expect(again.isEmpty)
    }

    @Test func aListingThatTookItsTimeUndoesNothing() {
        var table = WorkerTable()
        table.take(listing(10, live: presence(1)))
        // While the listing of revision 20 is on its way, the watch tells of later things.
        table.remove(.live(worker), at: 25)
        table.put(binding(22, to: 1), of: worker)
        let news = table.take(listing(20, live: presence(1)))
        #expect(news.isEmpty)
        #expect(table.rows[worker]?.presence == nil)
        #expect(table.lost == [worker])
        // The deletion is remembered only as long as an older listing could come.
        table.take(listing(30, bound: binding(22, to: 1)))
        #expect(table.lost == [worker])
    }

    @Test func anOlderListingThatComesLastBringsNobodyBack() {
        var table = WorkerTable()
        table.take(listing(10, live: presence(1), bound: binding(2, to: 1)))
        table.remove(.bound(worker), at: 12)
        table.remove(.live(worker), at: 15)
        table.take(listing(30))
        let news = table.take(listing(11, live: presence(1), bound: binding(2, to: 1)))
        #expect(news.isEmpty && table.rows.isEmpty && table.lost.isEmpty)
        // Nor does a row that was read before the newest listing.
        let isRowNews = table.put(presence(1), of: worker)
        #expect(!isRowNews)
        let isNewRowNews = table.put(presence(31), of: worker)
        #expect(isNewRowNews && table.freeCount(in: pool) == 1)
    }

    @Test func aReservedWorkerIsNotTakenAgainUntilItIsGivenBackOrChanges() {
        var table = WorkerTable()
        let chance = Chance(SeededGenerator(seed: 1))
        func expectReserved(_ expected: WorkerRef?) {
            let reserved = table.reserve(WorkerDemand(pools: [pool]), chance)?.ref
            #expect(reserved == expected)
        }
        table.put(presence(1), of: worker)
        expectReserved(worker)
        expectReserved(nil)
        table.unreserve(worker)
        expectReserved(worker)
        table.put(binding(2, to: 1), of: worker)
        table.unreserve(worker)
        expectReserved(nil)
        table.remove(.bound(worker), at: 3)
        expectReserved(worker)
    }

    @Test func everyFreeWorkerOfThePoolsIsChosenAboutAsOften() {
        var table = WorkerTable()
        let chance = Chance(SeededGenerator(seed: 7))
        let other = PoolRef(namespace: "default", name: "other")
        let workers = (0..<4).map { WorkerRef(pool: pool, pod: "w\($0)") } + [WorkerRef(pool: other, pod: "x")]
        for worker in workers { table.put(presence(1), of: worker) }
        var chosen: [WorkerRef: Int] = [:]
        for _ in 0..<5000 {
            guard let worker = table.reserve(WorkerDemand(pools: [pool, other]), chance)?.ref else { break }
            chosen[worker, default: 0] += 1
            table.unreserve(worker)
        }
        #expect(workers.allSatisfy { (850...1150).contains(chosen[$0] ?? 0) }, "\(chosen)")
        let none = table.reserve(WorkerDemand(pools: [PoolRef(namespace: "x", name: "y")]), chance)
        #expect(none == nil)
    }
}
