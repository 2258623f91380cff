import ControlPlane
import Etcd
internal import LocalCluster
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit

/// From the loss of workers until their actors are SUSPENDED for everyone to see, next to what etcd itself needs for it:
/// the way from the loss to a watcher, plus one transaction of the same size for every 32 of them.
enum ReleaseBench {
    @Sendable static func run() async throws {
        Report.header("release: lost workers to SUSPENDED actors", ["workers", "p50", "p90", "floor p50", "ratio"])
        for (workers, rounds) in [(1, 100), (100, 20), (1000, 3)] {
            try await measure(workers: workers, rounds: rounds)
        }
    }

    private static func measure(workers: Int, rounds: Int) async throws {
        try await TestEtcd.withServer { server in
            let fixture = try await StoreFixture(Store(etcd: server.client()))
            for number in 0..<workers { _ = try await fixture.createActor("actor-\(number)") }
            let environment = Environment.test()
            let inventory = WorkerInventory(keys: fixture.store.keys, environment: environment)
            let syncer = WorkerPoolSyncer(
                store: Store(etcd: server.client(), keys: fixture.store.keys), inventory: inventory,
                environment: environment, sweepInterval: .seconds(3600))
            var released = Samples()
            var floor = Samples()
            try await running(syncer.run) {
                for _ in 0..<rounds {
                    let lease = try await place(workers, fixture)
                    try await eventually("the syncer knows them", within: .seconds(120)) {
                        (0..<workers).allSatisfy {
                            inventory.row(fixture.workerRef("worker-\($0)"))?.binding?.value.phase == .ready
                        }
                    }
                    let (whole, event) = try await lose(lease, workers, fixture)
                    released.add(whole)
                    floor.add(event + (try await transactions(workers, fixture)))
                }
            }
            let ratio: Double = released.quantile(0.5) / floor.quantile(0.5)
            Report.row([
                "\(workers)", released.quantile(0.5).milliseconds, released.quantile(0.9).milliseconds,
                floor.quantile(0.5).milliseconds, ratio.digits(2),
            ])
        }
    }

    /// Puts every actor on a worker of its own, all under one lease.
    private static func place(_ workers: Int, _ fixture: StoreFixture) async throws -> LeaseID {
        let lease = try await fixture.lease()
        let operations = try await fixture.lease()
        for number in 0..<workers {
            let worker = try await fixture.register("worker-\(number)", lease: lease)
            let actor = try await fixture.current("actor-\(number)")
            let claim = try await fixture.store.claim(
                fixture.ref("actor-\(number)"), actor, worker: worker.ref, presence: worker.presence,
                operation: fixture.operation(.resume), lease: operations)
            _ = try await fixture.store.confirmRunning(claim)
        }
        return lease
    }

    /// Times from the end of the lease until the last actor is SUSPENDED, and until a watcher saw the presences go.
    private static func lose(
        _ lease: LeaseID, _ workers: Int, _ fixture: StoreFixture
    ) async throws -> (whole: Duration, event: Duration) {
        let store = fixture.store
        let from = try await store.etcd.range(.key("nothing")).revision + 1
        let start = ContinuousClock.now
        return try await withThrowingTaskGroup(of: (isWhole: Bool, Duration).self) { group in
            group.addTask {
                var suspended = 0
                for try await batch in store.etcd.watch(store.keys.actors, from: from) {
                    if case .events(let events) = batch { suspended += events.count }
                    if suspended == workers { break }
                }
                return (true, .now - start)
            }
            group.addTask {
                for try await _ in store.etcd.watch(.prefix(Key("\(store.keys.root)workers/live/")), from: from) {
                    break
                }
                return (false, .now - start)
            }
            try await store.etcd.revoke(lease)
            var (whole, event) = (Duration.zero, Duration.zero)
            for try await (isWhole, duration) in group {
                if isWhole { whole = duration } else { event = duration }
            }
            return (whole, event)
        }
    }

    /// The time of transactions as large as the releases of so many workers: a put and two deletes each, 32 at a time.
    private static func transactions(_ workers: Int, _ fixture: StoreFixture) async throws -> Duration {
        let value = try await fixture.current("actor-0").value.record(after: Codec.magic)
        let start = ContinuousClock.now
        for first in stride(from: 0, to: workers, by: Store.maximumReleases) {
            let count = min(Store.maximumReleases, workers - first)
            let keys = (0..<count).map { "bench/\($0)" }
            _ = try await fixture.store.etcd.transaction(
                Transaction()
                    .when(keys.flatMap { [Key($0 + "a").isAbsent, Key($0 + "b").isAbsent, Key($0 + "c").isAbsent] })
                    .then(
                        keys.flatMap { [.put(Key($0 + "d"), value), .delete(Key($0 + "b")), .delete(Key($0 + "c"))] }))
        }
        return .now - start
    }
}
