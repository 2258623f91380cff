import Etcd
import Protobuf
import SubstrateModel
import SubstrateStore
import Testing

/// Pools and templates in etcd: every field survives.
@Suite struct ResourceRecordTests {
    private func stored<Value: StoredValue>(_ value: Value) throws -> Value {
        let bytes = value.record(after: Codec.magic)
        let read = try decode(bytes, as: Value.self)
        // What is written twice is the same bytes: a comparison of values may rely on it.
        #expect(read.record(after: Codec.magic) == bytes)
        return read
    }

    private func decode<Value: StoredValue>(_ bytes: [UInt8], as type: Value.Type) throws -> Value {
        let pair = KeyValue(key: "k", value: bytes, createRevision: 3, modRevision: 5, version: 2)
        return try Codec.decode(pair, as: Value.self).value
    }

    private func template() -> ActorTemplate {
        var container = Container(
            name: "main", image: "registry.test/agent@sha256:1", command: ["agent", "", "--fast"],
            environment: [
                Container.Variable(name: "A", value: ""), Container.Variable(name: "B", value: "$(A)"),
                Container.Variable(name: "C", source: .secret(Container.SecretKey(name: "s", key: "k"))),
                Container.Variable(
                    name: "D", source: .secret(Container.SecretKey(name: "s", key: "k", isOptional: true))),
            ],
            readiness: Container.Readiness(path: "/healthz", port: 8080))
        container.volumeMounts = [Container.VolumeMount(name: "work", path: "/work")]
        var template = ActorTemplate(
            ref: TemplateRef(namespace: "n", name: "t"),
            containers: [container, Container(name: "side", command: ["x"])],
            snapshotLocation: "gs://bucket/s", onPause: .full, onCommit: .data, sandboxClass: .microvm,
            workerSelector: Selector(
                matchLabels: ["b": "2", "a": "1"],
                matchExpressions: Selector.Requirement.Operator.allCases.map {
                    Selector.Requirement(key: "k", operator: $0, values: $0.takesValues ? ["x", ""] : [])
                }))
        template.labels = ["team": "x"]
        template.pauseImage = "registry.test/pause@sha256:2"
        template.volumes = [Volume(name: "work", source: .durableDirectory)]
        template.workerPool = PoolRef(namespace: "n", name: "p")
        template.golden = true
        template.idleTimeout = .milliseconds(1500)
        template.sandboxRules.memory = 1 << 33
        template.sandboxRules.milliCPUs = 1500
        template.sandboxRules.egress = [
            EgressRule(subnet: "10.0.0.0/8"), EgressRule(subnet: "1.1.1.1/32", transport: .udp, ports: [53, 65535]),
        ]
        template.status.goldenActorID = "golden"
        template.status.takeGoldenSnapshotAtMilliseconds = 17
        template.status.goldenStay = "stay"
        template.status.goldenSnapshotInProgress = SnapshotURI("gs://bucket/s/u/2")
        template.status.goldenSnapshot = SnapshotURI("gs://bucket/s/u/1")
        template.status.conditions = [
            ActorTemplate.Condition(
                type: "Ready", status: "False", reason: "Waiting", message: "soon", lastTransitionMilliseconds: 16)
        ]
        return template
    }

    @Test func everyFieldOfATemplateSurvives() throws {
        var template = template()
        for onWorkerLoss in OnWorkerLoss.allCases {
            template.onWorkerLoss = onWorkerLoss
            #expect(try stored(template) == template)
        }
        for phase in ActorTemplate.Status.Phase.allCases {
            template.status.phase = phase
            #expect(try stored(template) == template)
        }
        for sandboxClass in SandboxClass.allCases {
            template.sandboxClass = sandboxClass
            for content in SnapshotContent.allCases {
                template.onPause = content
                #expect(try stored(template) == template)
            }
        }
    }

    @Test func everyFieldOfAPoolSurvivesButWhatIsSeenOfIt() throws {
        var pool = WorkerPool(
            ref: PoolRef(namespace: "n", name: "p.q"), labels: ["b": "2", "a": ""], replicas: 7, sandboxClass: .gvisor)
        pool.ateomImage = "registry.test/ateom@sha256:3"
        pool.sandboxConfigName = "fast"
        pool.podTemplate = #"{"priorityClassName":"high"}"#
        #expect(try stored(pool) == pool)
        var seen = pool
        seen.status.replicas = 5
        #expect(try decode(seen.record(after: Codec.magic), as: WorkerPool.self) == pool)
    }

    /// A record of before there were secrets, volumes and the rest: `A` has no value on the wire, `B` has one, and nothing
    /// says what a pause saves.
    @Test func anOlderTemplateReadsAsWhatItMeant() throws {
        func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
        func text(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }
        let container =
            text(1, "main") + text(3, "true") + field(4, text(1, "A")) + field(4, text(1, "B") + text(2, "b"))
        let template =
            text(1, "n") + text(2, "t") + field(3, container) + text(4, "file:///s") + [5 << 3, 2, 6 << 3, 3]
        let read = try decode(Codec.magic + field(1, template), as: ActorTemplate.self)
        let expected = ActorTemplate(
            ref: TemplateRef(namespace: "n", name: "t"),
            containers: [
                Container(
                    name: "main", command: ["true"],
                    environment: [
                        Container.Variable(name: "A", value: ""), Container.Variable(name: "B", value: "b"),
                    ])
            ],
            snapshotLocation: "file:///s", onPause: .data, onCommit: .data, sandboxClass: .process)
        #expect(read == expected)
    }

    @Test func whatThisVersionCannotActOnIsRefused() throws {
        func error(_ template: [UInt8]) -> String {
            do {
                _ = try decode(Codec.magic + [1 << 3 | 2, UInt8(template.count)] + template, as: ActorTemplate.self)
                return "no error"
            } catch {
                return "\(error)"
            }
        }
        // A volume without a source; an operator and a reaction that do not exist (fields 12 and 15).
        #expect(error([10 << 3 | 2, 3, 1 << 3 | 2, 1, 0x76]).contains("volume v has no source that is known"))
        #expect(error([12 << 3 | 2, 2, 2 << 3, 9]).contains("operator has the unknown value 9"))
        #expect(error([15 << 3, 9]).contains("on_worker_loss has the unknown value 9"))
    }
}
