import ControlPlane
import GRPC
import SubstrateAPI
import SubstrateModel
import SubstrateStore
import TestKit
import Testing

/// Routers report which actors are asked for, and the nodes hear of it.
@Suite struct ReportServedTests {
    /// A running actor of a template with this timeout.
    private func run(_ name: String, _ api: APIHarness, idleTimeout: Duration?) async throws -> ServedWorker {
        var template = api.fixture.template
        template.ref.name = "template-of-\(name)"
        template.idleTimeout = idleTimeout
        _ = try await api.fixture.store.createTemplate(template)
        _ = try await api.call(
            ControlMethods.createActor, CreateActorRequest(actor: api.actor(name), template: template.ref))
        let response = try await api.call(ControlMethods.resumeActor, ResumeActorRequest(actor: api.actor(name)))
        let assignment = try #require(response.actor.assignment)
        return ServedWorker(ref: assignment.worker, uid: assignment.uid)
    }

    private func report(_ workers: ServedWorker..., to api: APIHarness) async throws {
        _ = try await api.call(RouterMethods.reportServed, ReportServedRequest(workers: workers))
    }

    @Test func nodesHearOfTheirActorsThatHaveATimeoutAndOfNoOthers() async throws {
        try await APIHarness.run(workers: 2) { api in
            let alice = try await run("alice", api, idleTimeout: .seconds(3600))
            let bob = try await run("bob", api, idleTimeout: nil)
            let another = ServedWorker(ref: alice.ref, uid: "of-another-registration")
            let unknown = ServedWorker(
                ref: WorkerRef(pool: PoolRef(namespace: "n", name: "p"), pod: "none"), uid: "none")
            try await eventually("alice's node has heard of her") {
                // Each report counts, however often the template had not been seen yet.
                try await report(bob, another, unknown, alice, to: api)
                return api.cluster.nodes.servedWorkers.contains(alice.uid)
            }
            #expect(Set(api.cluster.nodes.servedWorkers) == [alice.uid])
        }
    }

    @Test func badReportsAreSaidToBe() async throws {
        try await APIHarness.run { api in
            let worker = ServedWorker(ref: api.fixture.workerRef("w"), uid: "u")
            await api.expect(
                .invalidArgument, "more than 1000 workers in one report", RouterMethods.reportServed,
                ReportServedRequest(workers: Array(repeating: worker, count: 1001)))
            await api.expect(
                .invalidArgument, "worker_pod_uid is required", RouterMethods.reportServed,
                ReportServedRequest(workers: [worker, ServedWorker(ref: worker.ref, uid: "")]))
            let nameless = WorkerRef(pool: worker.ref.pool, pod: "")
            await api.expect(
                .invalidArgument, "worker_pod is required", RouterMethods.reportServed,
                ReportServedRequest(workers: [ServedWorker(ref: nameless, uid: "u")]))
        }
    }
}
