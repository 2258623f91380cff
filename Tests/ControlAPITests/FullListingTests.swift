import ControlAPI
import Etcd
import Foundation
import GRPC
import LocalCluster
import ServiceKit
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Many actors, listed while others come and go.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SUBSTRATE_FULL_TESTS"] != nil))
struct FullListingTests {
    private static let stable = 100_000
    private static let fleeting = 1000

    /// What the process holds in memory of its own, in bytes.
    private static func memory() throws -> Int {
        let rollup = try String(contentsOfFile: "/proc/self/smaps_rollup", encoding: .utf8)
        let line = try #require(rollup.split(separator: "\n").first { $0.hasPrefix("Private_Dirty:") })
        return try #require(Int(line.split(separator: " ")[1])) << 10
    }

    /// Puts the actors into etcd as they would be after their creation, many in a transaction.
    private func create(_ count: Int, _ api: APIHarness) async throws {
        let keys = api.fixture.store.keys
        for start in stride(from: 0, to: count, by: 100) {
            let puts = (start..<min(start + 100, count)).map { number in
                let actor = Actor(uid: "uid-\(number)", template: api.fixture.template.ref)
                return Transaction.Operation.put(
                    keys.actor(api.actor(name(number))), actor.record(after: Codec.magic))
            }
            _ = try await api.fixture.store.etcd.transaction(Transaction().then(puts))
        }
    }

    private func name(_ number: Int) -> String { "stable-\(1_000_000 + number)" }

    /// Lists everything in pages. The most memory that the process has held meanwhile is returned as well.
    private func listed(_ api: APIHarness, pageSize: Int) async throws -> (names: Set<String>, count: Int, peak: Int) {
        var names: Set<String> = []
        names.reserveCapacity(Self.stable * 2)
        var count = 0
        var peak = 0
        var request = ListActorsRequest(pageSize: pageSize, atespace: "default")
        repeat {
            let page = try await api.call(ControlMethods.listActors, request)
            for actor in page.actors where actor.ref.name.hasPrefix("stable-") {
                names.insert(actor.ref.name)
                count += 1
            }
            peak = max(peak, try Self.memory())
            request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        return (names, count, peak)
    }

    @Test func hundredThousandActorsAreEachListedOnceWhileOthersComeAndGoAndMemoryStays() async throws {
        try await TestEtcd.withServer(arguments: ["--quota-backend-bytes", "4294967296"]) { server in
            try await APIHarness.run(store: Store(etcd: server.client(), keys: TestEtcd.uniqueKeys())) { api in
                try await create(Self.stable, api)
                let expected = Set((0..<Self.stable).map(name))
                // The first listing is warm-up: libraries keep what they have once had.
                let warm = try await listed(api, pageSize: 1000)
                #expect(warm.count == Self.stable && warm.names == expected)
                let before = try Self.memory()
                let churn = Task {
                    for number in 0..<Self.fleeting {
                        let ref = api.actor("fleeting-\(number)")
                        _ = try await api.call(ControlMethods.createActor, api.creation(ref.name))
                        _ = try await api.call(ControlMethods.deleteActor, DeleteActorRequest(actor: ref))
                    }
                }
                let all = try await listed(api, pageSize: 1000)
                #expect(all.count == Self.stable, "each once")
                #expect(all.names == expected)
                try await churn.value
                let growth = all.peak - before
                print("listed \(all.count) actors; memory grew by \(growth >> 10) KiB from \(before >> 20) MiB")
                #expect(growth < 50 << 20)

                // Without a page size: as much as fits, and a token beyond that.
                let first = try await api.call(ControlMethods.listActors, ListActorsRequest())
                #expect(first.actors.count > 1000 && !first.nextPageToken.isEmpty)
            }
        }
    }
}
