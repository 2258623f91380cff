import Router
import SubstrateAPI
import SubstrateModel
import Testing

/// What updates of the stream make of the table.
@Suite struct ActorTableTests {
    private let alice = actor("alice")
    private let bob = actor("bob")

    private func ref(_ pod: String) -> WorkerRef {
        WorkerRef(pool: PoolRef(namespace: "n", name: "p"), pod: pod)
    }

    private func worker(_ pod: String, _ actor: ActorRef?, port: Int = 0, isReady: Bool = true) -> WorkerInfo {
        WorkerInfo(
            ref: ref(pod), uid: "uid-\(pod)", node: "", ip: port > 0 ? "10.0.0.1" : "", port: port, version: 1,
            actor: actor, template: nil, isActorReady: isReady)
    }

    private func table(_ updates: WorkersUpdate...) -> ActorTable {
        updates.reduce(into: ActorTable()) { $0.take($1) }
    }

    @Test func onlyActorsThatRunAndAreReadyAreInIt() {
        let table = table(
            WorkersUpdate(
                revision: 1, isReset: true,
                workers: [
                    worker("a", alice, port: 80), worker("b", bob, port: 80, isReady: false),
                    worker("c", actor("carol")), worker("d", nil, port: 80),
                ]))
        #expect(table.count == 1)
        #expect(table.place(of: alice)?.destination == Destination("10.0.0.1:80"))
        #expect(table.place(of: alice)?.worker == ServedWorker(ref: ref("a"), uid: "uid-a"))
    }

    @Test func anActorThatHasMovedIsWhereItRuns() {
        let before = WorkersUpdate(revision: 1, workers: [worker("b", alice, port: 80)])
        // Workers of one update come in no particular order.
        for workers in [
            [worker("b", nil), worker("c", alice, port: 81)], [worker("a", alice, port: 81), worker("b", nil)],
            [worker("a", alice, port: 81), worker("b", bob, port: 82)],
        ] {
            let table = table(before, WorkersUpdate(revision: 2, workers: workers))
            #expect(table.place(of: alice)?.destination == Destination("10.0.0.1:81"))
        }
    }

    @Test func anActorWhoseWorkerIsGoneIsNot() {
        let table = table(
            WorkersUpdate(revision: 1, workers: [worker("a", alice, port: 80), worker("b", bob, port: 81)]),
            WorkersUpdate(revision: 2, deleted: [ref("a")]))
        #expect(table.place(of: alice) == nil && table.place(of: bob) != nil)
    }

    @Test func aPlaceThatHasFailedIsForgottenUntilThereIsNews() {
        let known = WorkersUpdate(revision: 1, workers: [worker("a", alice, port: 80)])
        var table = table(known)
        // It was another's.
        table.drop(alice, at: "10.0.0.1:81")
        table.drop(bob, at: "10.0.0.1:80")
        #expect(table.count == 1)
        table.drop(alice, at: "10.0.0.1:80")
        #expect(table.count == 0)
        #expect(table.take(known) == [alice])
        #expect(table.place(of: alice) != nil)
    }

    @Test func whoseNewsItIsIsSaid() {
        var table = table(WorkersUpdate(revision: 1, workers: [worker("a", alice, port: 80)]))
        #expect(table.take(WorkersUpdate(revision: 2, workers: [worker("a", bob, isReady: false)])) == [alice, bob])
        // Also when it was not there.
        #expect(table.take(WorkersUpdate(revision: 3, deleted: [ref("a")])) == [bob])
        #expect(table.take(WorkersUpdate(revision: 4, deleted: [ref("a")])) == [])
    }
}
