import SubstrateModel
import Testing

/// What may be declared of pools and templates, and what is said of the rest.
@Suite struct ResourceRuleTests {
    /// A template with all there is, of a class that may have it.
    private static var template: ActorTemplate {
        var container = Container(
            name: "main", image: "registry.test/agent@sha256:1", command: ["agent"],
            environment: [
                Container.Variable(name: "A B", value: ""),
                Container.Variable(name: "T", source: .secret(Container.SecretKey(name: "tokens", key: "api.key"))),
            ],
            readiness: Container.Readiness(path: "/readyz", port: 8080))
        container.volumeMounts = [Container.VolumeMount(name: "work", path: "/var/work")]
        var template = ActorTemplate(
            ref: TemplateRef(namespace: "team", name: "agent.v1"), containers: [container],
            snapshotLocation: "gs://bucket-1/snapshots", onPause: .full, onCommit: .data, sandboxClass: .gvisor)
        template.pauseImage = "registry.test/pause@sha256:2"
        template.volumes = [Volume(name: "work", source: .durableDirectory)]
        template.workerPool = PoolRef(namespace: "team", name: "pool.x")
        template.idleTimeout = .seconds(600)
        return template
    }

    @Test func aTemplateWithAllThereIsIsAllowed() {
        #expect(ResourceRules.violation(of: Self.template) == nil)
    }

    @Test(
        arguments: [
            { $0.containers[0].image = "rootfs:/srv/roots/agent" },
            { $0.containers[0].image = "" },
            // A pinned image may say itself what is to run.
            { $0.containers[0].command = [] },
            { $0.containers[0].command = Array(repeating: "x", count: 64) },
            { $0.snapshotLocation = "file:///srv/snapshots" },
            { $0.onCommit = .full },
            {
                $0.onPause = .data
                $0.onCommit = .data
            },
            // Without an image nobody needs a pause image.
            {
                $0.containers[0].image = ""
                $0.pauseImage = "pause:latest"
            },
            { $0.containers[0].environment[0].name = " !\"~" },
            { $0.containers[0].readiness?.path = "/" + String(repeating: "p", count: 1023) },
            { $0.containers[0].volumeMounts[0].path = "/" + String(repeating: "p", count: 4095) },
            { $0.workerPool = nil },
            { $0.idleTimeout = .milliseconds(1) },
        ] as [@Sendable (inout ActorTemplate) -> Void])
    func templatesThatAreAllowed(change: @Sendable (inout ActorTemplate) -> Void) {
        var template = Self.template
        change(&template)
        #expect(ResourceRules.violation(of: template) == nil)
    }

    @Test(
        arguments: [
            Change("metadata.namespace must start and end", { $0.ref.namespace = "a.b" }),
            Change("metadata.name must be a DNS subdomain", { $0.ref.name = "A" }),
            Change("metadata.labels: the label key", { $0.labels = ["": ""] }),
            Change(
                "spec.containers has more than 10", { $0.containers = Array(repeating: $0.containers[0], count: 11) }),
            Change("spec.containers[pause]: the name pause is reserved", { $0.containers[0].name = "pause" }),
            Change("spec.containers[a.b]: the name must", { $0.containers[0].name = "a.b" }),
            Change("spec.containers[main].image must be pinned", { $0.containers[0].image = "agent:latest" }),
            Change("spec.containers[main].image: 'rootfs:' must", { $0.containers[0].image = "rootfs:agent" }),
            Change("spec.containers[main].image: 'rootfs:' must", { $0.containers[0].image = "rootfs:/a/../b@c" }),
            Change(
                "spec.containers[main].command must name a program",
                {
                    $0.containers[0].image = "rootfs:/srv/agent"
                    $0.containers[0].command = []
                }
            ),
            Change(
                "spec.containers[main].command has", { $0.containers[0].command = Array(repeating: "x", count: 65) }),
            Change(
                "spec.containers[main].env has more than 32",
                { $0.containers[0].environment = Array(repeating: Container.Variable(name: "A", value: ""), count: 33) }
            ),
            Change("spec.containers[main].env: the name \"\"", { $0.containers[0].environment[0].name = "" }),
            Change("spec.containers[main].env: the name \"A=\"", { $0.containers[0].environment[0].name = "A=" }),
            Change("spec.containers[main].env: the name \"ä\"", { $0.containers[0].environment[0].name = "ä" }),
            Change(
                "spec.containers[main].env[T].valueFrom.secretKeyRef.name is required",
                { $0.containers[0].environment[1].source = .secret(Container.SecretKey(name: "", key: "k")) }
            ),
            Change(
                "spec.containers[main].env[T].valueFrom.secretKeyRef.name must be",
                { $0.containers[0].environment[1].source = .secret(Container.SecretKey(name: "../s", key: "k")) }
            ),
            Change("spec.pauseImage is required", { $0.pauseImage = "" }),
            Change("spec.pauseImage must be pinned", { $0.pauseImage = "pause:3" }),
            Change("spec.containers[main].readyz.httpGet.port", { $0.containers[0].readiness?.port = 65536 }),
            Change("spec.containers[main].readyz.httpGet.path", { $0.containers[0].readiness?.path = "readyz" }),
            Change("spec.containers[main].readyz.httpGet.path", { $0.containers[0].readiness?.path = "/a?b" }),
            Change("spec.containers[main].readyz.httpGet.path", { $0.containers[0].readiness?.path = "/a\n" }),
            Change(
                "spec.containers[main].readyz.httpGet.path",
                { $0.containers[0].readiness?.path = "/" + String(repeating: "p", count: 1024) }
            ),
            Change(
                "spec.volumes has more than 32",
                { $0.volumes = (0...32).map { Volume(name: "v\($0)", source: .durableDirectory) } }
            ),
            Change("spec.volumes[A]: the name", { $0.volumes[0].name = "A" }),
            Change("spec.volumes[work]: the name is used twice", { $0.volumes.append($0.volumes[0]) }),
            Change(
                "spec.volumes: a template has at most one durableDir",
                { $0.volumes.append(Volume(name: "more", source: .durableDirectory)) }
            ),
            Change("spec.volumes: an actor of class microvm", { $0.sandboxClass = .microvm }),
            Change(
                "spec.containers[main].volumeMounts[other]: spec.volumes has no volume",
                { $0.containers[0].volumeMounts[0].name = "other" }
            ),
            Change(
                "spec.containers[main].volumeMounts: a container mounts at most one",
                { $0.containers[0].volumeMounts.append(Container.VolumeMount(name: "work", path: "/b")) }
            ),
            Change(
                "spec.containers[main].volumeMounts has more than 32",
                { $0.containers[0].volumeMounts = Array(repeating: $0.containers[0].volumeMounts[0], count: 33) }
            ),
            Change("spec.snapshotsConfig.location is required", { $0.snapshotLocation = "" }),
            Change(
                "spec.snapshotsConfig.location must be gs:// and a bucket, or file://",
                { $0.snapshotLocation = "s3://b" }),
            Change("spec.snapshotsConfig.location must be gs://, a bucket", { $0.snapshotLocation = "gs://" }),
            Change(
                "spec.snapshotsConfig.location must be gs://, a bucket", { $0.snapshotLocation = "gs://${BUCKET}/x" }),
            Change("spec.snapshotsConfig.location must be gs://, a bucket", { $0.snapshotLocation = "gs://b/x?y" }),
            Change("spec.snapshotsConfig.location must be gs://, a bucket", { $0.snapshotLocation = "gs://b/../x" }),
            Change("spec.snapshotsConfig.location must not be the root", { $0.snapshotLocation = "file:///" }),
            Change(
                "spec.snapshotsConfig.onCommit must be Data where onPause is Data",
                {
                    $0.onPause = .data
                    $0.onCommit = .full
                }
            ),
            Change("spec.workerSelector.matchLabels: the label", { $0.workerSelector.matchLabels = ["-": ""] }),
            Change(
                "spec.workerSelector.matchExpressions[0].values must not",
                { $0.workerSelector.matchExpressions = [Selector.Requirement(key: "a", operator: .isIn)] }
            ),
            Change("spec.workerPoolRef.name is required", { $0.workerPool?.name = "" }),
            Change("spec.workerPoolRef.namespace must", { $0.workerPool?.namespace = "A" }),
            Change("spec.idleTimeout must be at least 1ms", { $0.idleTimeout = .zero }),
            Change("spec.idleTimeout must be at least 1ms", { $0.idleTimeout = .seconds(-1) }),
            Change("spec.idleTimeout must be at most 87600h", { $0.idleTimeout = .milliseconds(Int64.max) }),
        ] as [Change<ActorTemplate>])
    func templatesThatAreNot(change: Change<ActorTemplate>) throws {
        var template = Self.template
        change.apply(&template)
        let violation = try #require(ResourceRules.violation(of: template))
        #expect(violation.hasPrefix(try #require(change.problem)), "\(violation)")
    }

    @Test(arguments: [
        "", "work", "/", "/a/", "//a", "/a//b", "/a/./b", "/a/../b", "/..", "/a:b", "/a\nb", "/a\u{85}",
        "/" + String(repeating: "p", count: 4096),
    ])
    func pathsOfMountsThatAreNotAllowed(path: String) throws {
        var template = Self.template
        template.containers[0].volumeMounts[0].path = path
        let violation = try #require(ResourceRules.violation(of: template))
        #expect(violation.hasPrefix("spec.containers[main].volumeMounts[work].mountPath must"), "\(violation)")
    }

    @Test(arguments: ["", ".", "..", "..x", "a/b", "a b", "ä", String(repeating: "k", count: 254)])
    func keysOfSecretsThatAreNotAllowed(key: String) {
        #expect(!ContainerRules.allows(Container.SecretKey(name: "s", key: key)))
    }

    @Test(arguments: ["k", ".k", "a..b", "A_b-c.d", String(repeating: "k", count: 253)])
    func keysOfSecretsThatAre(key: String) {
        #expect(ContainerRules.allows(Container.SecretKey(name: "s.x", key: key)))
    }

    /// A plain process has neither a root file system nor a memory that could be saved.
    @Test(
        arguments: [
            Change(
                "spec.containers[main].image: an actor of class process", { $0.containers[0].image = "rootfs:/srv" }),
            Change(
                "spec.containers[main].volumeMounts: an actor of class process",
                { $0.containers[0].volumeMounts = [Container.VolumeMount(name: "work", path: "/w")] }
            ),
            Change("spec.snapshotsConfig.onCommit must be Data: an actor of class process", { $0.onCommit = .full }),
            Change("spec.snapshotsConfig.onPause must be Data: an actor of class process", { $0.onPause = .full }),
            Change("spec.snapshotsConfig.location must be file://", { $0.snapshotLocation = "gs://bucket" }),
            Change("spec.resources and spec.egress: nothing keeps", { $0.sandboxRules.memory = 1 << 30 }),
            Change(
                "spec.resources and spec.egress: nothing keeps",
                { $0.sandboxRules.egress = [EgressRule(subnet: "10.0.0.0/8")] }),
        ] as [Change<ActorTemplate>])
    func plainProcesses(change: Change<ActorTemplate>) throws {
        var template = ActorTemplate(
            ref: TemplateRef(namespace: "n", name: "t"), containers: [Container(name: "main", command: ["true"])],
            snapshotLocation: "file:///s", onCommit: .data, sandboxClass: .process)
        template.volumes = [Volume(name: "work", source: .durableDirectory)]
        #expect(template.onPause == .data)
        #expect(ResourceRules.violation(of: template) == nil)
        change.apply(&template)
        let violation = try #require(ResourceRules.violation(of: template))
        #expect(violation.hasPrefix(try #require(change.problem)), "\(violation)")
    }

    @Test(
        arguments: [
            Change(nil, { $0.memory = 128 << 20 }), Change(nil, { $0.milliCPUs = 1 }),
            Change(nil, { $0.egress = [EgressRule(subnet: "0.0.0.0/0", ports: [1, 65535])] }),
            Change("spec.resources.limits.memory must be from 128Mi", { $0.memory = (128 << 20) - 1 }),
            Change("spec.resources.limits.memory must be from 128Mi", { $0.memory = -1 }),
            Change("spec.resources.limits.cpu must be from 1m", { $0.milliCPUs = 1_024_001 }),
            Change(
                "spec.egress has more than 32", { $0.egress = Array(repeating: EgressRule(subnet: "a"), count: 33) }),
            Change(
                "spec.egress[0].ports must be numbers", { $0.egress = [EgressRule(subnet: "1.1.1.1/32", ports: [0])] }),
            Change(
                "spec.egress[0].ports has more than 32",
                { $0.egress = [EgressRule(subnet: "1.1.1.1/32", ports: Array(1...33))] }),
        ] as [Change<SandboxRules>])
    func sandboxes(change: Change<SandboxRules>) {
        var rules = SandboxRules()
        change.apply(&rules)
        let violation = rules.violation(.gvisor)
        #expect(change.problem.map { violation?.hasPrefix($0) ?? false } ?? (violation == nil), "\(violation ?? "nil")")
    }

    /// What they are in is text for the firewall, later on.
    @Test(
        arguments: [
            "", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "10.0.0.0.0/8", "256.0.0.0/8", "::/0",
            "10.0.0.0/8 accept", "+1.0.0.0/8", "010.0.0.0/8", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8;",
            "\u{661}.0.0.0/8",
        ])
    func whatIsNoSubnet(text: String) {
        #expect(IPv4Subnet(text) == nil)
        var rules = SandboxRules()
        rules.egress = [EgressRule(subnet: text)]
        #expect(rules.violation(.gvisor)?.hasPrefix("spec.egress[0].cidr must be a subnet") == true)
    }

    @Test(arguments: ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "255.255.255.255/32"])
    func whatIsASubnet(text: String) { #expect(IPv4Subnet(text).map { "\($0)" } == text) }

    @Test(
        arguments: [
            Change(nil, { _ in }),
            Change(nil, { $0.replicas = 0 }),
            Change("metadata.name is required", { $0.ref.name = "" }),
            Change("metadata.labels: the label value", { $0.labels = ["a": "-"] }),
            Change("spec.replicas must not be negative", { $0.replicas = -1 }),
            Change("spec.replicas must be no more than", { $0.replicas = 1 << 31 }),
            Change("spec.sandboxConfigName must be a DNS subdomain", { $0.sandboxConfigName = "A/b" }),
            Change(
                "spec.template must be no more than 16384 bytes",
                { $0.podTemplate = "{" + String(repeating: " ", count: 16384) }
            ),
        ] as [Change<WorkerPool>])
    func pools(change: Change<WorkerPool>) {
        var pool = WorkerPool(
            ref: PoolRef(namespace: "n", name: "p"), labels: ["a": "b"], replicas: 3, sandboxClass: .microvm)
        change.apply(&pool)
        let violation = ResourceRules.violation(of: pool)
        #expect(change.problem.map { violation?.hasPrefix($0) ?? false } ?? (violation == nil), "\(violation ?? "nil")")
    }
}

/// A change to something that is allowed, and how what is said of it begins.
struct Change<Value>: Sendable {
    var problem: String?
    var apply: @Sendable (inout Value) -> Void

    init(_ problem: String?, _ apply: @escaping @Sendable (inout Value) -> Void) {
        self.problem = problem
        self.apply = apply
    }
}
