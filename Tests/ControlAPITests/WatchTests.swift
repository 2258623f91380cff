import ControlAPI
import Etcd
import GRPC
import LocalCluster
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// What `substrate.Watch` promises: the state, then every change, and nothing missed or doubled when it goes on.
@Suite struct WatchTests {
    /// A client that applies updates as it is told to.
    private struct Viewer {
        var actors: [ActorRef: ActorInfo] = [:]
        var revision: Int64 = 0
        var resets = 0

        mutating func apply(_ update: ActorsUpdate) {
            if update.isReset {
                actors = [:]
                resets += 1
            }
            for actor in update.actors { actors[actor.ref] = actor }
            for ref in update.deleted { actors[ref] = nil }
            if update.revision > 0 { revision = update.revision }
        }
    }

    @Test func theStateComesFirstAndThenEveryChange() async throws {
        try await APIHarness.run { api in
            for name in ["a", "b"] { _ = try await api.call(ControlMethods.createActor, api.creation(name)) }
            var updates = try await api.channel.open(
                WatchMethods.actors, WatchActorsRequest(), timeout: .seconds(20)
            ).makeAsyncIterator()
            let state = try #require(try await updates.next())
            #expect(state.isReset && state.revision > 0)
            #expect(state.actors.map(\.ref) == [api.actor("a"), api.actor("b")])
            _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("a")))
            _ = try await api.call(ControlMethods.deleteActor, DeleteActorRequest(actor: api.actor("b")))
            var statuses: [ActorStatus?] = []
            var deleted: [ActorRef] = []
            var last = state.revision
            while deleted.isEmpty {
                let update = try #require(try await updates.next())
                #expect(update.revision > last && !update.isReset)
                last = update.revision
                statuses += update.actors.map(\.status)
                deleted += update.deleted
            }
            #expect(statuses == [.resuming, .running])
            #expect(deleted == [api.actor("b")])
        }
    }

    @Test func onlyTheAtespaceThatIsAskedForIsShown() async throws {
        try await APIHarness.run { api in
            _ = try await api.call(ControlMethods.createAtespace, AtespaceRequest(name: "other"))
            var updates = try await api.channel.open(
                WatchMethods.actors, WatchActorsRequest(atespace: "other"), timeout: .seconds(20)
            ).makeAsyncIterator()
            let state = try #require(try await updates.next())
            #expect(state.isReset && state.actors.isEmpty)
            _ = try await api.call(ControlMethods.createActor, api.creation("a"))
            _ = try await api.call(ControlMethods.createActor, api.creation("b", in: "other"))
            let update = try #require(try await updates.next())
            #expect(update.actors.map(\.ref) == [api.actor("b", in: "other")])
        }
    }

    @Test func aClientThatComesBackAgainAndAgainMissesNothing() async throws {
        try await APIHarness.run { api in
            let done = Flag()
            let viewer = try await withThrowingTaskGroup { group in
                group.addTask {
                    for number in 0..<60 {
                        _ = try await api.call(ControlMethods.createActor, api.creation("actor-\(number)"))
                        if number % 3 == 0 {
                            _ = try await api.call(
                                ControlMethods.deleteActor, DeleteActorRequest(actor: api.actor("actor-\(number)")))
                        }
                    }
                    done.set()
                }
                var viewer = Viewer()
                // Each stream is left after one update; the last change is the deletion of actor 57 or the creation of 59.
                while !done.isSet || viewer.actors.count < 40 {
                    let request = WatchActorsRequest(afterRevision: viewer.revision)
                    let stream = try await api.channel.open(WatchMethods.actors, request, timeout: .seconds(20))
                    for try await update in stream {
                        viewer.apply(update)
                        if update.revision > 0 { break }
                    }
                }
                try await group.waitForAll()
                return viewer
            }
            let listed = try await api.call(ControlMethods.listActors, ListActorsRequest()).actors
            #expect(viewer.actors.values.sorted { $0.ref < $1.ref } == listed)
            #expect(viewer.resets == 1)
        }
    }

    @Test func whenTheHistoryIsGoneTheStateComesAnew() async throws {
        try await TestEtcd.withServer { server in
            let client = server.client()
            try await APIHarness.run(store: Store(etcd: client, keys: TestEtcd.uniqueKeys())) { api in
                for name in ["a", "b"] { _ = try await api.call(ControlMethods.createActor, api.creation(name)) }
                let before = try await client.range(.key("nothing")).revision
                _ = try await api.call(ControlMethods.deleteActor, DeleteActorRequest(actor: api.actor("a")))
                let now = try await client.range(.key("nothing")).revision
                try await client.compact(now)
                // From before the compaction, and from a future that a restored backup does not know.
                for revision in [before, now + 1_000_000] { try await expectNewState(api, after: revision) }
            }
        }
    }

    private func expectNewState(_ api: APIHarness, after revision: Int64) async throws {
        var actors = try await api.channel.open(
            WatchMethods.actors, WatchActorsRequest(afterRevision: revision), timeout: .seconds(20)
        ).makeAsyncIterator()
        let state = try #require(try await actors.next())
        #expect(state.isReset && state.actors.map(\.ref) == [api.actor("b")])
        var workers = try await api.channel.open(
            WatchMethods.workers, WatchWorkersRequest(afterRevision: revision), timeout: .seconds(20)
        ).makeAsyncIterator()
        let shown = try #require(try await workers.next())
        #expect(shown.isReset && shown.workers.count == 2)
    }

    @Test func workersAreShownWithTheirActorsAndLostOnesUntilTheirRelease() async throws {
        try await APIHarness.run(workers: 1) { api in
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            var updates = try await api.channel.open(
                WatchMethods.workers, WatchWorkersRequest(), timeout: .seconds(20)
            ).makeAsyncIterator()
            let state = try #require(try await updates.next())
            #expect(state.isReset && state.workers.map(\.actor) == [nil])
            _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
            var bound: [WorkersUpdate] = []
            // Claimed, and then ready.
            for _ in 0..<2 { bound.append(try #require(try await updates.next())) }
            #expect(bound.allSatisfy { $0.workers.map(\.actor) == [api.actor("alice")] })
            // Going on from before it was bound shows the same.
            var resumed = try await api.channel.open(
                WatchMethods.workers, WatchWorkersRequest(afterRevision: state.revision), timeout: .seconds(20)
            ).makeAsyncIterator()
            let shown = try #require(try await resumed.next())
            #expect(!shown.isReset && shown.workers.map(\.actor) == [api.actor("alice")])
            let worker = api.fixture.workerRef("node-0")
            _ = try await api.fixture.store.etcd.transaction(
                Transaction().then(.delete(api.fixture.store.keys.live(worker))))
            let lost = try #require(try await updates.next())
            #expect(lost.workers.map(\.actor) == [api.actor("alice")] && lost.workers.first?.uid == "")
            let released = try #require(try await updates.next())
            #expect(released.deleted == [worker] && released.workers.isEmpty)
        }
    }

    /// What routers go by.
    @Test func anActorIsReadyForRequestsWhileItRunsAndNobodyHasItInHand() async throws {
        try await APIHarness.run(workers: 1) { api in
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            let request = ResumeActorRequest(actor: api.actor("alice"))
            let address = try #require(
                try await api.call(ControlMethods.resumeActor, request).actor.assignment?.address)
            var updates = try await watchWorkers(api)
            let ready = try #require(try await updates.next()?.workers.first)
            #expect(ready.isActorReady && ready.ip == address.ip && ready.port == address.port)
            let gate = Gate()
            api.cluster.nodes.beforeCall { call, _ throws(NodeFailure) in if call == "checkpoint" { await gate.pass() }
            }
            async let suspended = api.call(
                ControlMethods.suspendActor, SuspendActorRequest(actor: api.actor("alice")))
            let leaving = try #require(try await updates.next()?.workers.first)
            #expect(!leaving.isActorReady && leaving.actor == api.actor("alice") && leaving.ip == address.ip)
            // For a stream that begins now, too.
            var later = try await watchWorkers(api)
            let shown = try #require(try await later.next())
            #expect(shown.workers.map(\.isActorReady) == [false])
            var resumed = try await api.channel.open(
                WatchMethods.workers, WatchWorkersRequest(afterRevision: shown.revision), timeout: .seconds(20)
            ).makeAsyncIterator()
            gate.open()
            _ = try await suspended
            for update in [try await updates.next(), try await later.next(), try await resumed.next()] {
                let free = try #require(update?.workers.first)
                #expect(!free.isActorReady && free.actor == nil && free.ip.isEmpty && free.port == 0)
            }
        }
    }

    @Test func anActorIsReadyAgainWhenItsSuspendHasComeToNothing() async throws {
        try await APIHarness.run(workers: 1) { api in
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            _ = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice")))
            var updates = try await watchWorkers(api)
            #expect(try await updates.next()?.workers.map(\.isActorReady) == [true])
            api.cluster.nodes.beforeCall { call, _ throws(NodeFailure) in
                if call == "checkpoint" {
                    throw NodeFailure(status: Status(code: .unavailable, message: "no disk"), receipt: nil)
                }
            }
            await #expect(throws: RPCError.self) {
                try await api.call(ControlMethods.suspendActor, SuspendActorRequest(actor: api.actor("alice")))
            }
            for expected in [false, true] {
                #expect(try await updates.next()?.workers.map(\.isActorReady) == [expected])
            }
        }
    }

    private func watchWorkers(_ api: APIHarness) async throws -> ResponseStream<WorkersUpdate>.Iterator {
        try await api.channel.open(WatchMethods.workers, WatchWorkersRequest(), timeout: .seconds(20))
            .makeAsyncIterator()
    }

    @Test func aStreamEndsWhenItHasLastedItsTime() async throws {
        var options = ControlServiceOptions()
        options.streamLifetime = .milliseconds(200)
        try await APIHarness.run(options: options) { api in
            let status = await status(of: api, WatchActorsRequest())
            #expect(status?.code == .unavailable, "\(String(describing: status))")
        }
    }

    @Test func badRequestsAreSaidToBe() async throws {
        try await APIHarness.run { api in
            let negative = await status(of: api, WatchActorsRequest(afterRevision: -1))
            #expect(negative?.code == .invalidArgument && negative?.message == "after_revision cannot be negative")
            let name = await status(of: api, WatchActorsRequest(atespace: "NO"))
            #expect(name?.code == .invalidArgument && name?.message.hasPrefix("invalid atespace: ") == true)
        }
    }

    private func status(of api: APIHarness, _ request: WatchActorsRequest) async -> Status? {
        do throws(RPCError) {
            let stream = try await api.channel.open(WatchMethods.actors, request, timeout: .seconds(20))
            for try await _ in stream {}
            return nil
        } catch {
            return error.status
        }
    }
}
