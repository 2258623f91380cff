import GRPC
import SubstrateAPI
import SubstrateModel
import TestKit
import Testing

@Suite struct ResourceTests {
    @Test func poolsAreAppliedReadListedAndDeleted() async throws {
        try await APIHarness.run { api in
            var pool = WorkerPool(
                ref: PoolRef(namespace: "default", name: "large"), labels: ["size": "large"], replicas: 3,
                sandboxClass: .process)
            #expect(try await api.call(ResourcesMethods.applyPool, PoolMessage(pool: pool)).pool == pool)
            pool.replicas = 5
            _ = try await api.call(ResourcesMethods.applyPool, PoolMessage(pool: pool))
            let name = NamedRequest(namespace: "default", name: "large")
            #expect(try await api.call(ResourcesMethods.getPool, name).pool == pool)
            let listed = try await api.call(ResourcesMethods.listPools, ListRequest()).pools
            #expect(Set(listed.map(\.ref.name)) == ["large", "pool"])
            _ = try await api.call(ResourcesMethods.deletePool, name)
            await api.expect(.notFound, "WorkerPool default/large not found", ResourcesMethods.getPool, name)
            await api.expect(.notFound, "WorkerPool default/large not found", ResourcesMethods.deletePool, name)
        }
    }

    @Test func templatesAreImmutable() async throws {
        try await APIHarness.run { api in
            var template = api.fixture.template
            template.ref.name = "mine"
            template.containers[0].readiness = Container.Readiness(path: "/readyz", port: 80)
            template.containers[0].environment = [Container.Variable(name: "A", value: "b")]
            _ = try await api.call(ResourcesMethods.applyTemplate, TemplateMessage(template: template))
            _ = try await api.call(ResourcesMethods.applyTemplate, TemplateMessage(template: template))
            let name = NamedRequest(namespace: "default", name: "mine")
            #expect(try await api.call(ResourcesMethods.getTemplate, name).template == template)
            template.containers[0].command = ["other"]
            await api.expect(
                .failedPrecondition, "ActorTemplate default/mine exists and is immutable: apply it under another name",
                ResourcesMethods.applyTemplate, TemplateMessage(template: template))
            _ = try await api.call(ResourcesMethods.deleteTemplate, name)
            await api.expect(.notFound, "ActorTemplate default/mine not found", ResourcesMethods.getTemplate, name)
        }
    }

    @Test func whatIsNotAllowedIsSaidInTermsOfTheManifest() async throws {
        try await APIHarness.run { api in
            let good = api.fixture.template
            func expect(_ message: String, _ change: (inout ActorTemplate) -> Void) async {
                var template = good
                template.ref.name = "bad"
                change(&template)
                await api.expect(
                    .invalidArgument, "ActorTemplate \(template.ref): \(message)", ResourcesMethods.applyTemplate,
                    TemplateMessage(template: template))
            }
            await expect("metadata.namespace is required") { $0.ref.namespace = "" }
            await expect("metadata.name is required") { $0.ref.name = "" }
            await expect("spec.containers must name at least one container") { $0.containers = [] }
            await expect("spec.containers[main]: the name is used twice") { $0.containers.append($0.containers[0]) }
            await expect("spec.containers[pause]: the name pause is reserved") { $0.containers[0].name = "pause" }
            await expect("spec.containers[main].command must name a program") { $0.containers[0].command = [] }
            await expect("spec.containers[main].readyz.httpGet.port must be from 1 to 65535") {
                $0.containers[0].readiness = Container.Readiness(path: "/", port: 0)
            }
            await expect("spec.snapshotsConfig.location is required") { $0.snapshotLocation = "" }
            await expect("spec.snapshotsConfig.location must be file:// and an absolute path without '..'") {
                $0.snapshotLocation = "file:///a/../b"
            }
            await expect(
                "spec.snapshotsConfig.onCommit must be Data: an actor of class process cannot have its memory saved"
            ) { $0.onCommit = .full }
            await api.expect(
                .invalidArgument, "WorkerPool default/x: spec.replicas must not be negative",
                ResourcesMethods.applyPool,
                PoolMessage(
                    pool: WorkerPool(
                        ref: PoolRef(namespace: "default", name: "x"), replicas: -1, sandboxClass: .process)))
        }
    }
}
