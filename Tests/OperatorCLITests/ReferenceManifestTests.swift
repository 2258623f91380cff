import Foundation
import ServiceKit
import SubstrateAPI
import SubstrateModel
import Testing

@testable import OperatorCLI

/// Manifests in the shape in which Agent Substrate's users have them.
@Suite struct ReferenceManifestTests {
    /// A namespace, a kind that is not kept here, a pool with everything, and a template of the class gvisor.
    private static let current = """
        # What a team needs to run its agents.
        ---
        apiVersion: v1
        kind: Namespace
        metadata:
          name: agents
        ---
        apiVersion: ate.dev/v1alpha1
        kind: SandboxConfig
        metadata:
          name: standard
        spec:
          sandboxClass: gvisor
          default: true
        ---
        apiVersion: ate.dev/v1alpha1
        kind: WorkerPool
        metadata:
          name: general
          namespace: agents
          annotations: {owner: team-a}
          labels:
            tier: general
        spec:
          replicas: 12
          ateomImage: registry.test/ateom@sha256:aa
          sandboxConfigName: standard
          template:
            nodeSelector:
              disk: ssd
            tolerations:
            - key: dedicated
              operator: Equal
              value: "true"
              tolerationSeconds: 30
            priorityClassName: high
            resources:
              requests: {cpu: 500m, memory: 1Gi}
            hostNetwork: true
        status:
          replicas: 3
        ---
        apiVersion: ate.dev/v1alpha1
        kind: ActorTemplate
        metadata:
          name: helper
          namespace: agents
          labels: {app: helper}
        spec:
          pauseImage: registry.test/pause@sha256:bb
          containers:
          - name: helper
            image: registry.test/helper@sha256:cc
            command: ["/helper", "--port=8080"]
            env:
            - name: MODE
              value: "production"
            - name: API_TOKEN
              valueFrom:
                secretKeyRef:
                  name: helper-tokens
                  key: api
            - name: EXTRA
              valueFrom:
                secretKeyRef: {name: helper-tokens, key: extra, optional: true}
            readyz:
              httpGet:
                port: 8080
            volumeMounts:
            - name: state
              mountPath: /var/lib/helper
          volumes:
          - name: state
            durableDir: {}
          snapshotsConfig:
            location: gs://team-a-snapshots/helper
            onCommit: Data
          workerSelector:
            matchLabels:
              tier: general
            matchExpressions:
            - key: spot
              operator: DoesNotExist
            - {key: zone, operator: In, values: [a, b]}
        """

    @Test func theCurrentShapeIsReadWhole() throws {
        let (manifests, warnings) = try Manifest.read(Self.current)
        guard manifests.count == 2, case .pool(let pool) = manifests[0].resource,
            case .template(let template) = manifests[1].resource
        else {
            Issue.record("expected a pool and a template, got \(manifests)")
            return
        }
        var expectedPool = WorkerPool(
            ref: PoolRef(namespace: "agents", name: "general"), labels: ["tier": "general"], replicas: 12,
            sandboxClass: .gvisor)
        expectedPool.ateomImage = "registry.test/ateom@sha256:aa"
        expectedPool.sandboxConfigName = "standard"
        expectedPool.podTemplate =
            #"{"nodeSelector":{"disk":"ssd"},"priorityClassName":"high","#
            + #""resources":{"requests":{"cpu":"500m","memory":"1Gi"}},"#
            + #""tolerations":[{"key":"dedicated","operator":"Equal","value":"true","tolerationSeconds":30}]}"#
        #expect(pool == expectedPool)

        var container = Container(
            name: "helper", image: "registry.test/helper@sha256:cc", command: ["/helper", "--port=8080"],
            environment: [
                Container.Variable(name: "MODE", value: "production"),
                Container.Variable(
                    name: "API_TOKEN", source: .secret(Container.SecretKey(name: "helper-tokens", key: "api"))),
                Container.Variable(
                    name: "EXTRA",
                    source: .secret(Container.SecretKey(name: "helper-tokens", key: "extra", isOptional: true))),
            ],
            readiness: Container.Readiness(path: "/readyz", port: 8080))
        container.volumeMounts = [Container.VolumeMount(name: "state", path: "/var/lib/helper")]
        var expected = ActorTemplate(
            ref: TemplateRef(namespace: "agents", name: "helper"), containers: [container],
            snapshotLocation: "gs://team-a-snapshots/helper", onPause: .full, onCommit: .data, sandboxClass: .gvisor,
            workerSelector: Selector(
                matchLabels: ["tier": "general"],
                matchExpressions: [
                    Selector.Requirement(key: "spot", operator: .doesNotExist),
                    Selector.Requirement(key: "zone", operator: .isIn, values: ["a", "b"]),
                ]))
        expected.labels = ["app": "helper"]
        expected.pauseImage = "registry.test/pause@sha256:bb"
        expected.volumes = [Volume(name: "state", source: .durableDirectory)]
        #expect(template == expected)
        #expect(
            warnings == [
                "document 1, line 3: skipped: Namespace (v1) is not kept here",
                "document 2, line 8: skipped: SandboxConfig (ate.dev/v1alpha1) is not kept here",
                "document 3, line 39: the unknown field spec.template.hostNetwork is ignored",
            ])
    }

    @Test func theOlderShapeNamesItsPoolAndWhatHasNoEffectIsNamed() throws {
        let (manifests, warnings) = try Manifest.read(
            """
            apiVersion: ate.dev/v1alpha1
            kind: ActorTemplate
            metadata: {name: old, namespace: agents}
            spec:
              workerPoolRef:
                name: general
              runsc:
                amd64: {sha256Hash: dd, url: "https://runsc.test/amd64"}
              pauseImage: registry.test/pause@sha256:bb
              containers:
              - name: main
                image: registry.test/old@sha256:ee
                ports:
                - containerPort: 80
              snapshotsConfig: {location: "gs://team-a-snapshots"}
              golden: true
              onWorkerLoss: resume
              idleTimeout: 10m
              resources:
                limits: {memory: 512Mi, cpu: 500m}
              egress:
              - cidr: 10.0.0.0/8
                ports: [443, 8443]
              - {cidr: 10.0.0.2/32, protocol: UDP, ports: [53]}
            """)
        guard case .template(let template) = manifests.first?.resource else {
            Issue.record("expected a template, got \(manifests)")
            return
        }
        #expect(template.sandboxRules.memory == 512 << 20 && template.sandboxRules.milliCPUs == 500)
        #expect(
            template.sandboxRules.egress == [
                EgressRule(subnet: "10.0.0.0/8", ports: [443, 8443]),
                EgressRule(subnet: "10.0.0.2/32", transport: .udp, ports: [53]),
            ])
        #expect(template.workerPool == PoolRef(namespace: "agents", name: "general"))
        #expect(template.golden && template.onWorkerLoss == .resume && template.idleTimeout == .seconds(600))
        #expect(template.onPause == .full && template.onCommit == .full)
        #expect(
            warnings == [
                "document 1, line 7: spec.runsc has no effect here",
                "document 1, line 13: spec.containers[0].ports has no effect here",
            ])
    }

    @Test func whatAProcessCannotHaveIsNoDefaultOfIt() throws {
        let (manifests, warnings) = try Manifest.read(
            """
            apiVersion: ate.dev/v1alpha1
            kind: ActorTemplate
            metadata: {name: plain}
            spec:
              sandboxClass: process
              containers: [{name: main, command: [run]}]
              snapshotsConfig: {location: "file:///s"}
            """)
        guard case .template(let template) = manifests.first?.resource else {
            Issue.record("expected a template, got \(manifests)")
            return
        }
        #expect(template.onPause == .data && template.onCommit == .data && warnings.isEmpty)
    }

    @Test func whatIsShownHasEveryField() throws {
        let templates = try Manifest.read(Self.current).manifests.compactMap { manifest in
            if case .template(let template) = manifest.resource { template } else { nil }
        }
        let text = View.templates.text(templates, as: .yaml)
        for part in [
            "pauseImage: ", "mountPath: ", "durableDir: {}", "optional: true", "key: extra", "onPause: Full",
            "workerExpressions:", "operator: DoesNotExist", "app: helper",
        ] {
            #expect(text.contains(part), "\(part) is not in \(text)")
        }
        let pools = try Manifest.read(Self.current).manifests.compactMap { manifest in
            if case .pool(let pool) = manifest.resource { pool } else { nil }
        }
        #expect(View.pools.text(pools, as: .yaml).contains("sandboxConfigName: standard"))
    }
}
