import ControlPlane
import Etcd
internal import LocalCluster
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit

/// From the loss of workers until their actors are SUSPENDED for everyone to see, next to what etcd itself needs for it:
/// the way from the loss to a watcher, plus one transaction of the same size for every 32 of them, one after the other.
///
/// A whole control plane runs in this process, so that it is known when it knows the workers.
enum ReleaseBench {
    /// How many workers are lost at once, how often, and how far p50 may be above the floor.
    private static let cases: [(workers: Int, rounds: Int, goal: Double?)] = [
        (1, 200, 1.3), (100, 20, nil), (1000, 5, 1.5),
    ]

    @Sendable static func run() async throws {
        Report.header(
            "release: lost workers to SUSPENDED actors",
            ["workers", "p50", "p90", "floor p50", "of it event", "ratio p50", "goal", "CPU ms"])
        for test in cases { try await measure(workers: test.workers, rounds: test.rounds, goal: test.goal) }
    }

    private static func measure(workers: Int, rounds: Int, goal: Double?) async throws {
        try await TestEtcd.withServer { server in
            let fixture = try await StoreFixture(Store(etcd: server.client()))
            try await eachOf(workers, atATime: 64) { _ = try await fixture.createActor("actor-\($0)") }
            let control = ControlPlane(
                store: Store(etcd: server.client(), keys: fixture.store.keys), nodes: InProcessNodes(),
                environment: .test())
            var (released, floor, events, spent) = (Samples(), Samples(), Samples(), Samples())
            try await running(control.run) {
                for round in 0..<rounds {
                    let lease = try await place(workers, fixture)
                    try await eventually("the control plane knows them", within: .seconds(120)) {
                        (0..<workers).allSatisfy {
                            control.inventory.row(fixture.workerRef("worker-\($0)"))?.binding?.value.phase == .ready
                        }
                    }
                    try await eventually("the leader has seen their actors") {
                        control.lifecycle.census?.counts[.running] == workers
                    }
                    let processor = ProcessorTime.now
                    let (whole, event) = try await lose(lease, workers, fixture)
                    let processed = Duration.seconds(ProcessorTime.now - processor)
                    let transactions = try await transactions(workers, fixture)
                    // The first is for the caches.
                    if round == 0, rounds > 1 { continue }
                    released.add(whole)
                    events.add(event)
                    spent.add(processed)
                    floor.add(event + transactions)
                }
            }
            let ratio: Double = released.quantile(0.5) / floor.quantile(0.5)
            Report.row([
                "\(workers)", released.quantile(0.5).milliseconds, released.quantile(0.9).milliseconds,
                floor.quantile(0.5).milliseconds, events.quantile(0.5).milliseconds, ratio.digits(2),
                goal.map { $0.digits(1) } ?? "", spent.quantile(0.5).milliseconds,
            ])
        }
    }

    /// Puts every actor on a worker of its own, all under one lease.
    private static func place(_ workers: Int, _ fixture: StoreFixture) async throws -> LeaseID {
        let lease = try await fixture.lease()
        let operations = try await fixture.lease()
        try await eachOf(workers, atATime: 64) { number in
            let worker = try await fixture.register("worker-\(number)", lease: lease)
            let actor = try await fixture.current("actor-\(number)")
            let claim = try await fixture.store.claim(
                fixture.ref("actor-\(number)"), actor, worker: worker.ref, presence: worker.presence,
                operation: fixture.operation(.resume), lease: operations)
            _ = try await fixture.store.confirmRunning(claim, at: fixture.address)
        }
        return lease
    }

    /// Times from the end of the lease until the last actor is SUSPENDED, and until a watcher saw the presences go.
    private static func lose(
        _ lease: LeaseID, _ workers: Int, _ fixture: StoreFixture
    ) async throws -> (whole: Duration, event: Duration) {
        let store = fixture.store
        let presences = Key("\(store.keys.root)workers/live/")
        let now = try await store.etcd.range(.key("nothing")).revision
        // Each begins with something that has happened: a watch that etcd has made by the time of the loss costs nothing then.
        let place = try await fixture.current("actor-0").modRevision
        let presence = try await store.listWorkers().live.values.first?.createRevision ?? now
        let begun = (Signal(), Signal())
        return try await withThrowingTaskGroup(of: (isWhole: Bool, ContinuousClock.Instant).self) { group in
            group.addTask {
                var suspended = 0
                for try await batch in store.etcd.watch(store.keys.actors, from: place) {
                    begun.0.fire()
                    if case .events(let events) = batch { suspended += events.count { $0.revision > now } }
                    if suspended == workers { break }
                }
                return (true, .now)
            }
            group.addTask {
                for try await batch in store.etcd.watch(.prefix(presences), from: presence) {
                    begun.1.fire()
                    if case .events(let events) = batch, events.contains(where: { $0.revision > now }) { break }
                }
                return (false, .now)
            }
            for signal in [begun.0, begun.1] { for await _ in signal.wakeUps { break } }
            let start = ContinuousClock.now
            try await store.etcd.revoke(lease)
            var (whole, event) = (Duration.zero, Duration.zero)
            for try await (isWhole, end) in group { if isWhole { whole = end - start } else { event = end - start } }
            return (whole, event)
        }
    }

    /// The time of transactions as large as the releases of so many workers, 32 at a time: three conditions, a put of an
    /// actor and two deletions each, of which one finds something.
    private static func transactions(_ workers: Int, _ fixture: StoreFixture) async throws -> Duration {
        let etcd = fixture.store.etcd
        let value = try await fixture.current("actor-0").value.record(after: Codec.magic)
        let parts = stride(from: 0, to: workers, by: Store.maximumReleases).map { first in
            (first..<min(first + Store.maximumReleases, workers)).map { "bench/\($0)/" }
        }
        for keys in parts {
            _ = try await etcd.transaction(
                Transaction().then(keys.flatMap { [.put(Key($0 + "actor"), value), .put(Key($0 + "bound"), value)] }))
        }
        let start = ContinuousClock.now
        for keys in parts {
            _ = try await etcd.transaction(
                Transaction()
                    .when(
                        keys.flatMap {
                            [Key($0 + "actor").isPresent, Key($0 + "bound").isPresent, Key($0 + "live").isAbsent]
                        }
                    )
                    .then(
                        keys.flatMap {
                            [
                                .put(Key($0 + "actor"), value), .delete(Key($0 + "operation")),
                                .delete(Key($0 + "bound")),
                            ]
                        }))
        }
        return .now - start
    }
}
