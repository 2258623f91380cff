import Etcd
import Foundation
import History
import LocalCluster
import Processes
import ServiceKit
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Three real replicas, of which the one that leads is killed in the middle of releasing a thousand workers.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] != nil)) struct FullLeaderDeathTests {
    private static let workers = 1000
    /// From the new leader's election to the last release.
    private static let limit: Duration = .seconds(2)

    private typealias Seen = (change: Change, at: ContinuousClock.Instant)

    @Test func theNextLeaderReleasesWhatTheKilledOneHasLeftWithinTwoSecondsAndEachActorOnce() async throws {
        try await TestEtcd.withServer { server in
            let directory = TemporaryDirectory()
            let store = Store(etcd: server.client(), keys: Keys())
            let seen = Collected<Seen>()
            let released = Shared<Set<ActorRef>>([])
            try await running({ try await watch(server, store.keys, seen, released) }) {
                let fixture = try await StoreFixture(store)
                let leader = try await replica(1, server, directory.path)
                _ = try await replica(2, server, directory.path)
                _ = try await replica(3, server, directory.path)
                let election = try await candidates(store).min { $0.createRevision < $1.createRevision }
                let leadership = try #require(election?.key)
                let lease = try await place(fixture)
                try await store.etcd.revoke(lease)
                try await eventually("the leader has begun") { !released.current.isEmpty }
                await leader.process.killAndWait()
                let left = Self.workers - released.current.count
                try await eventually("all are released", within: .seconds(60)) {
                    released.current.count == Self.workers
                }
                try check(seen.all, leadership, left: left, store.keys)
            }
        }
    }

    /// Sees everything that happens, in one watch.
    private func watch(
        _ server: LocalEtcd, _ keys: Keys, _ seen: Collected<Seen>, _ released: Shared<Set<ActorRef>>
    ) async throws {
        for try await batch in server.client().watch(.prefix(Key("")), from: 2) {
            guard case .events(let events) = batch else { throw DidNotHappen(description: "a whole history") }
            let now = ContinuousClock.now
            for change in Change.changes(in: events) {
                seen.append((change, now))
                for case .put(let pair, _) in change.events {
                    guard let ref = keys.actorRef(pair.key) else { continue }
                    let actor = try Codec.decode(pair, as: Actor.self).value
                    if actor.lastRecovery != nil, actor.state == .suspended { released.withLock { _ = $0.insert(ref) } }
                }
            }
        }
    }

    /// Starts a replica and waits until it stands in the queue for the leadership. The first one leads.
    private func replica(_ number: Int, _ server: LocalEtcd, _ directory: String) async throws -> LocalProcess {
        let store = Store(etcd: server.client(), keys: Keys())
        let process = try await LocalProcess.start(
            "ateapi-\(number)", "\(SoakSettings.programs)/ateapi",
            [
                "--grpc-listen-addr", "127.0.0.1:\(try FreePort.find())", "--status-listen-addr", "none",
                "--etcd-endpoints", server.endpoint,
            ],
            logs: directory)
        try await process.wait(until: "campaign") {
            (try? await candidates(store).count) == number
        }
        return process
    }

    private func candidates(_ store: Store) async throws -> [KeyValue] {
        try await store.etcd.range(RangeRequest(.prefix(Key("\(store.keys.election)/")))).pairs
    }

    /// Puts every actor on a worker of its own, all under one lease.
    private func place(_ fixture: StoreFixture) async throws -> LeaseID {
        let store = fixture.store
        let lease = try await fixture.lease()
        let session = try await fixture.lease()
        _ = try await store.etcd.transaction(
            Transaction().then(.put(Key("\(store.keys.replicas)\(session)"), [], lease: session)))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<32 {
                group.addTask {
                    for number in stride(from: caller, to: Self.workers, by: 32) {
                        let actor = try await fixture.createActor("actor-\(number)")
                        let worker = try await fixture.register("worker-\(number)", lease: lease)
                        let claim = try await store.claim(
                            fixture.ref("actor-\(number)"), actor, worker: worker.ref, presence: worker.presence,
                            operation: fixture.operation(.resume), lease: session)
                        _ = try await store.confirmRunning(claim, at: fixture.address)
                    }
                }
            }
            try await group.waitForAll()
        }
        return lease
    }

    private func check(_ seen: [Seen], _ leadership: Key, left: Int, _ keys: Keys) throws {
        var checker = HistoryChecker(keys: keys)
        var violations: [Violation] = []
        var releases: [ActorRef: Int] = [:]
        var elected: ContinuousClock.Instant?
        var last: ContinuousClock.Instant?
        var after = 0
        for (change, time) in seen {
            let outcome = checker.apply(change)
            violations += outcome.violations
            // The one behind it leads from this revision on.
            if change.events.contains(where: { if case .delete(leadership, _, _) = $0 { true } else { false } }) {
                elected = time
            }
            for step in outcome.steps where step.kind == .released {
                releases[step.ref, default: 0] += 1
                last = time
                if elected != nil { after += 1 }
            }
        }
        #expect(violations.isEmpty)
        #expect(checker.lost.isEmpty && checker.state.bindings.isEmpty)
        #expect(releases.count == Self.workers && releases.values.allSatisfy { $0 == 1 })
        let took = try #require(elected).duration(to: try #require(last))
        print(
            "leader killed with \(left) of \(Self.workers) workers to release; the next released \(after) within \(took)"
        )
        #expect(left > 0 && after > 0, "the leader was too fast to be killed in the middle")
        #expect(took <= Self.limit)
    }
}
