import ControlAPI
import ControlPlane
import Etcd
import Foundation
import HTTP
import Metrics
import ServiceKit
import StatusPage
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// The page of a control plane with thousands of workers.
@Suite struct LargePageTests {
    private let pool = PoolRef(namespace: "default", name: "pool")

    private func worker(_ number: Int) -> WorkerRef { WorkerRef(pool: pool, pod: "worker-\(number)") }

    /// Every third worker has an actor, and the last of those is lost.
    private func fill(_ inventory: WorkerInventory, with count: Int) {
        for number in 0..<count {
            let isLost = number == count - 1
            let presence = Presence(
                uid: "uid-\(number)", node: "node-\(number / 10)", bootID: "boot", directoryID: "directory",
                agentAddress: "agent", sandboxClass: .process)
            let binding = Binding(
                actor: ActorRef(atespace: "team", name: "actor-\(number)"), actorUID: "a\(number)",
                template: TemplateRef(namespace: "default", name: "template"), incarnation: Incarnation(10),
                phase: .ready)
            inventory.take(
                presence: isLost ? nil : .created(presence, at: 10),
                binding: isLost || number % 3 == 0 ? .created(binding, at: 20) : nil, of: worker(number), at: 30)
        }
    }

    @Test func onlyTheFirstOfThousandsOfWorkersAreShownAndTheFilterFindsAnyOther() async throws {
        let etcd = EtcdClient(endpoints: ["127.0.0.1:1"])
        let control = ControlPlane(
            store: Store(etcd: InterceptedEtcd(etcd)), nodes: InProcessNodes(), environment: .test())
        fill(control.inventory, with: 5000)
        let status = ControlPlaneStatus(control, etcd: EtcdHealth(etcd, environment: .test()))
        let endpoints = StatusEndpoints(status.source(MetricRegistry()), isLocal: false)
        func list(_ query: [String: String]) async throws -> (total: Int, names: [String]) {
            let request = HTTPRequest(
                method: "GET", path: "/statusz", headers: [:], query: query.merging(["format": "json"]) { $1 })
            guard
                case .response(let answer) = await EtcdDeadline.$current.withValue(
                    .now,
                    operation: {
                        await endpoints.answer(request)
                    })
            else { throw DidNotHappen(description: "an answer") }
            #expect(answer.body.count < 200_000)
            let report = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
            let lists = try #require(report?["lists"] as? [[String: Any]])
            let workers = try #require(lists.first { $0["id"] as? String == "workers" })
            let items = workers["items"] as? [[String: Any]] ?? []
            return (workers["total"] as? Int ?? 0, items.compactMap { $0["worker"] as? String })
        }
        let all = try await list([:])
        // The lost one comes first.
        #expect(all.total == 5000 && all.names.count == 100 && all.names.first == "default/pool/worker-4999")
        let one = try await list(["filter": "actor-4443"])
        #expect(one.total == 1 && one.names == ["default/pool/worker-4443"])
        #expect(try await list(["filter": "node-77"]).total == 10)
        #expect(try await list(["filter": "nobody"]).total == 0)
        #expect(try await list(["limit": "500"]).names.count == 500)
    }
}
