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
            let listed = try await api.call(ResourcesMethods.listPools, EmptyRequest()).pools
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

    @Test func whatIsKeptAndNotUsedComesBackAndStatusIsNotTheClientsToWrite() async throws {
        try await APIHarness.run { api in
            var pool = api.fixture.pool
            pool.ateomImage = "registry.test/ateom@sha256:1"
            pool.sandboxConfigName = "fast"
            pool.podTemplate = #"{"nodeSelector":{"disk":"ssd"},"tolerations":[{"operator":"Exists"}]}"#
            pool.status.replicas = 99
            _ = try await api.call(ResourcesMethods.applyPool, PoolMessage(pool: pool))
            // The node of the harness offers two.
            pool.status.replicas = 2
            let poolName = NamedRequest(namespace: "default", name: "pool")
            #expect(try await api.call(ResourcesMethods.getPool, poolName).pool == pool)
            #expect(try await api.call(ResourcesMethods.listPools, EmptyRequest()).pools == [pool])

            var template = api.fixture.template
            template.ref.name = "mine"
            template.labels = ["team": "x"]
            template.pauseImage = "registry.test/pause@sha256:2"
            template.volumes = [Volume(name: "work", source: .durableDirectory)]
            template.golden = true
            template.onWorkerLoss = .hold
            template.idleTimeout = .seconds(90)
            template.workerPool = pool.ref
            template.workerSelector.matchExpressions = [Selector.Requirement(key: "size", operator: .exists)]
            template.containers[0].environment = [
                Container.Variable(name: "T", source: .secret(Container.SecretKey(name: "s", key: "k")))
            ]
            var pretended = template
            pretended.status.phase = .ready
            let applied = try await api.call(ResourcesMethods.applyTemplate, TemplateMessage(template: pretended))
            #expect(applied.template == template)
            let templateName = NamedRequest(namespace: "default", name: "mine")
            // What the control plane has noted of it, as it may do any time, does not make it another template.
            try await eventually("the leader has noted something") {
                let known = try await api.call(ResourcesMethods.getTemplate, templateName).template
                #expect(known.declaration == template)
                return known.status.phase != .none
            }
            let again = try await api.call(ResourcesMethods.applyTemplate, TemplateMessage(template: template))
            #expect(again.template.declaration == template && again.template.status.phase != .none)
            template.idleTimeout = .seconds(91)
            await api.expect(
                .failedPrecondition, "ActorTemplate default/mine exists and is immutable: apply it under another name",
                ResourcesMethods.applyTemplate, TemplateMessage(template: template))
        }
    }

    @Test func anActorGoesOnlyWhereItsTemplateAllows() async throws {
        try await APIHarness.run { api in
            func resume(
                _ name: String, _ change: (inout ActorTemplate) -> Void
            ) async throws -> ResumeActorRequest {
                var template = api.fixture.template
                template.ref.name = name
                change(&template)
                _ = try await api.call(ResourcesMethods.applyTemplate, TemplateMessage(template: template))
                let creation = CreateActorRequest(actor: api.actor(name), template: template.ref)
                _ = try await api.call(ControlMethods.createActor, creation)
                return ResumeActorRequest(actor: api.actor(name))
            }
            let none = "no worker pool matches the template's sandboxClass and the template/actor selectors"
            let elsewhere = try await resume("elsewhere") {
                $0.workerPool = PoolRef(namespace: "default", name: "other")
            }
            await api.expect(.failedPrecondition, none, ControlMethods.resumeActor, elsewhere)
            let picky = try await resume("picky") {
                $0.workerSelector.matchExpressions = [
                    Selector.Requirement(key: "size", operator: .notIn, values: ["small"])
                ]
            }
            await api.expect(.failedPrecondition, none, ControlMethods.resumeActor, picky)
            let sandboxed = try await resume("sandboxed") { $0.sandboxClass = .gvisor }
            await api.expect(.failedPrecondition, none, ControlMethods.resumeActor, sandboxed)
            let here = try await resume("here") {
                $0.workerPool = api.fixture.pool.ref
                $0.workerSelector.matchExpressions = [
                    Selector.Requirement(key: "size", operator: .isIn, values: ["small", "large"])
                ]
            }
            #expect(try await api.call(ControlMethods.resumeActor, here).actor.status == .running)
        }
    }

    @Test(arguments: [
        ("[]", "must be a JSON object"), ("{", "must be a JSON object"),
        (
            #"{"colour":"red"}"#,
            ".colour is unknown; known are nodeAffinity, nodeSelector, priorityClassName, resources, tolerations"
        ),
        (#"{"nodeSelector":["x"]}"#, ".nodeSelector must be a mapping"),
        (#"{"priorityClassName":1}"#, ".priorityClassName must be a text"),
        (#"{"tolerations":[1]}"#, ".tolerations must be a list of mappings"),
        (
            #"{"tolerations":[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]}"#,
            ".tolerations has more than 16 entries"
        ),
    ]) func settingsOfPodsThatAreNotAllowed(json: String, problem: String) async throws {
        try await APIHarness.run { api in
            var pool = api.fixture.pool
            pool.podTemplate = json
            let separator = problem.hasPrefix(".") ? "" : " "
            await api.expect(
                .invalidArgument, "WorkerPool default/pool: spec.template\(separator)\(problem)",
                ResourcesMethods.applyPool, PoolMessage(pool: pool))
        }
    }
}
