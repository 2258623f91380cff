import Etcd
import GRPC
import LocalCluster
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

@Suite struct ListingTests {
    @Test func pagesShowOneRevisionAndMissOrDoubleNobody() async throws {
        try await APIHarness.run { api in
            let names = (0..<25).map { "actor-\(100 + $0)" }
            for name in names { _ = try await api.call(ControlMethods.createActor, api.creation(name)) }
            var request = ListActorsRequest(pageSize: 7, atespace: "default")
            var listed: [String] = []
            repeat {
                let page = try await api.call(ControlMethods.listActors, request)
                #expect(page.actors.count <= 7)
                listed += page.actors.map(\.ref.name)
                request.pageToken = page.nextPageToken
                // Whoever comes and goes meanwhile changes nothing.
                _ = try? await api.call(ControlMethods.createActor, api.creation("actor-0\(listed.count)"))
                _ = try? await api.call(
                    ControlMethods.deleteActor, DeleteActorRequest(actor: api.actor("actor-124")))
            } while !request.pageToken.isEmpty
            #expect(listed == names)
        }
    }

    @Test func withoutAPageSizeEverythingComesThatFits() async throws {
        try await APIHarness.run { api in
            for number in 0..<30 { _ = try await api.call(ControlMethods.createActor, api.creation("actor-\(number)")) }
            _ = try await api.call(ControlMethods.createAtespace, AtespaceRequest(name: "other"))
            _ = try await api.call(ControlMethods.createActor, api.creation("stranger", in: "other"))
            let all = try await api.call(ControlMethods.listActors, ListActorsRequest())
            #expect(all.actors.count == 31 && all.nextPageToken.isEmpty)
            let some = try await api.call(ControlMethods.listActors, ListActorsRequest(atespace: "other"))
            #expect(some.actors.map(\.ref) == [api.actor("stranger", in: "other")])
        }
    }

    @Test func aListingLargerThanAMessageIsCutAndGoesOn() async throws {
        try await APIHarness.run { api in
            // Ten labels of 126 bytes: some 3,000 of these actors are more than 4 MiB.
            let labels = Dictionary(
                uniqueKeysWithValues: (0..<10).map {
                    ("\($0)" + String(repeating: "k", count: 62), String(repeating: "v", count: 63))
                })
            let keys = api.fixture.store.keys
            let actor = Actor(
                uid: "uid", template: api.fixture.template.ref, workerSelector: Selector(matchLabels: labels))
            let value = actor.record(after: Codec.magic)
            for batch in 0..<30 {
                let puts = (0..<100).map { number in
                    Transaction.Operation.put(keys.actor(api.actor("actor-\(10_000 + batch * 100 + number)")), value)
                }
                _ = try await api.fixture.store.etcd.transaction(Transaction().then(puts))
            }
            let first = try await api.call(ControlMethods.listActors, ListActorsRequest())
            #expect(first.actors.count < 3000 && !first.nextPageToken.isEmpty)
            let rest = try await api.call(ControlMethods.listActors, ListActorsRequest(pageToken: first.nextPageToken))
            #expect(first.actors.count + rest.actors.count == 3000)
            #expect(Set((first.actors + rest.actors).map(\.ref)).count == 3000)
        }
    }

    @Test func aTokenIsOfItsListingOnly() async throws {
        try await APIHarness.run { api in
            for name in ["a", "b"] { _ = try await api.call(ControlMethods.createActor, api.creation(name)) }
            let token = try await api.call(ControlMethods.listActors, ListActorsRequest(pageSize: 1)).nextPageToken
            await api.expect(
                .invalidArgument, "page_token is not one that this listing has returned", ControlMethods.listActors,
                ListActorsRequest(pageToken: token, atespace: "default"))
        }
    }

    @Test func aTokenWhoseRevisionIsForgottenIsRefused() async throws {
        try await TestEtcd.withServer { server in
            let client = server.client()
            try await APIHarness.run(store: Store(etcd: client, keys: TestEtcd.uniqueKeys())) { api in
                for name in ["a", "b"] { _ = try await api.call(ControlMethods.createActor, api.creation(name)) }
                let first = try await api.call(ControlMethods.listActors, ListActorsRequest(pageSize: 1))
                _ = try await api.call(ControlMethods.createActor, api.creation("c"))
                try await client.compact(try await client.range(.key("any")).revision)
                await api.expect(
                    .invalidArgument, "page_token has expired, list from the start again", ControlMethods.listActors,
                    ListActorsRequest(pageSize: 1, pageToken: first.nextPageToken))
                let whole = try await api.call(ControlMethods.listActors, ListActorsRequest())
                #expect(whole.actors.map(\.ref.name) == ["a", "b", "c"])
            }
        }
    }

    @Test func workersAreListedWithTheirActorsAndLostOnesUntilTheirRelease() async throws {
        try await APIHarness.run(workers: 1) { api in
            #expect(try await api.call(ControlMethods.listWorkers, EmptyRequest()).workers.map(\.ip) == [""])
            _ = try await api.call(ControlMethods.createActor, api.creation("alice"))
            let alice = try await api.call(
                ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor("alice"))
            ).actor
            let workers = try await api.call(ControlMethods.listWorkers, EmptyRequest()).workers
            let worker = try #require(workers.first)
            #expect(workers.count == 1)
            #expect(worker.actor == api.actor("alice") && worker.template == api.fixture.template.ref)
            #expect(worker.ref == api.fixture.workerRef("node-0") && worker.node == "node")
            #expect(worker.ip == alice.assignment?.address?.ip && worker.ip.hasPrefix("127.91."))
            // At the moment of the release's commit the worker is lost, and still listed.
            let seen = Flag()
            api.cluster.etcd.beforeWrite { _ in
                let listed = try await api.call(ControlMethods.listWorkers, EmptyRequest()).workers
                #expect(listed.map(\.actor) == [api.actor("alice")])
                #expect(listed.first?.uid == "")
                seen.set()
            }
            let keys = api.fixture.store.keys
            _ = try await api.fixture.store.etcd.transaction(Transaction().then(.delete(keys.live(worker.ref))))
            try await eventually("alice is released") {
                try await api.fixture.current("alice").value.state == .suspended
            }
            #expect(seen.isSet)
        }
    }
}
