import ServiceKit
import SubstrateModel
import Testing

@testable import OperatorCLI

@Suite struct ManifestTests {
    @Test func poolsAndTemplatesAreReadAndTheRestIsNamed() throws {
        let (manifests, warnings) = try Manifest.read(
            """
            apiVersion: ate.dev/v1alpha1
            kind: WorkerPool
            metadata: {name: small, labels: {size: small}}
            spec:
              replicas: 4
              sandboxClass: process
              ateomImage: registry/ateom@sha256:1
              colour: green
            ---
            # another kind
            apiVersion: v1
            kind: Namespace
            metadata: {name: x}
            ---
            apiVersion: ate.dev/v1alpha1
            kind: ActorTemplate
            metadata:
              namespace: team
              name: counter
            spec:
              sandboxClass: process
              pauseImage: registry/pause@sha256:2
              containers:
              - name: main
                command: [counter, --fast, 'yes']
                env:
                - {name: A, value: 1}
                - name: B
                  value: "two words"
                ports: [80]
                readyz: {httpGet: {port: 80}}
              snapshotsConfig: {location: "file:///s", onPause: Data, onCommit: Data}
              workerSelector: {matchLabels: {size: small}}
            """)
        guard case .pool(let pool) = manifests.first?.resource,
            case .template(let template) = manifests.last?.resource, manifests.count == 2
        else {
            Issue.record("expected a pool and a template, got \(manifests)")
            return
        }
        var expected = WorkerPool(
            ref: PoolRef(namespace: "default", name: "small"), labels: ["size": "small"], replicas: 4,
            sandboxClass: .process)
        expected.ateomImage = "registry/ateom@sha256:1"
        #expect(pool == expected)
        #expect(manifests.map(\.document) == [1, 3])
        #expect(template.ref == TemplateRef(namespace: "team", name: "counter"))
        #expect(template.containers.first?.command == ["counter", "--fast", "yes"])
        #expect(template.containers.first?.environment.map(\.source) == [.value("1"), .value("two words")])
        #expect(template.containers.first?.readiness == Container.Readiness(path: "/readyz", port: 80))
        #expect(template.onCommit == .data && template.snapshotLocation == "file:///s")
        #expect(template.workerSelector.matchLabels == ["size": "small"])
        #expect(ResourceRules.violation(of: template) == nil && ResourceRules.violation(of: pool) == nil)
        #expect(
            warnings == [
                "document 1, line 8: the unknown field spec.colour is ignored",
                "document 2, line 11: skipped: Namespace (v1) is not kept here",
                "document 3, line 30: spec.containers[0].ports has no effect here",
            ])
    }

    @Test(arguments: [
        ("kind: [", "document 1, line 2: did not find expected node content"),
        ("a: 1\n---\nkind: [", "document 2, line 4: did not find expected node content"),
        ("a: &x 1\nb: *x", "document 1, line 2: anchors and aliases are not supported"),
        ("- a", "document 1, line 1: the document must be a mapping"),
        ("apiVersion: ate.dev/v1\nkind: WorkerPool\nkind: WorkerPool", "document 1, line 3: kind is given twice"),
        (
            "# nothing\n---\napiVersion: v1\nkind: Namespace\n---\n- a",
            "document 2, line 6: the document must be a mapping"
        ),
    ]) func whatIsNoManifestIsRefusedWithThePlace(text: String, message: String) {
        #expect(error(text) == message)
    }

    @Test(arguments: [
        ("3", "line 4: spec must be a mapping"),
        ("{}", "line 4: spec.replicas is required"),
        ("{replicas: many}", "line 4: spec.replicas must be a whole number"),
        ("{replicas: '1'}", "line 4: spec.replicas must be a whole number"),
        ("{sandboxClass: vm}", "line 4: spec.sandboxClass must be one of gvisor, microvm, process"),
        ("{replicas: 1, template: [x]}", "line 4: spec.template must be a mapping"),
    ]) func mistakesInAPoolComeWithTheirPlace(spec: String, message: String) {
        let text = "apiVersion: ate.dev/v1\nkind: WorkerPool\nmetadata: {name: p}\nspec: \(spec)"
        #expect(error("a: 1\n---\n\(text)") == "document 2, \(message.replacing("line 4", with: "line 6"))")
    }

    @Test(arguments: [
        ("containers: main", "spec.containers must be a list"),
        ("containers: [main]", "spec.containers[0] must be a mapping"),
        ("containers: [{command: run}]", "spec.containers[0].command must be a list"),
        ("containers: [{command: [[run]]}]", "spec.containers[0].command must be a list of texts"),
        ("containers: [{name: [a]}]", "spec.containers[0].name must be a text"),
        (
            "containers: [{name: a}, {env: [{name: A}]}]",
            "spec.containers[1].env[0] must have exactly one of value and valueFrom"
        ),
        (
            "containers: [{env: [{name: A, value: b, valueFrom: {secretKeyRef: {}}}]}]",
            "spec.containers[0].env[0] must have exactly one of value and valueFrom"
        ),
        (
            "containers: [{env: [{name: A, valueFrom: {fieldRef: {fieldPath: x}}}]}]",
            "spec.containers[0].env[0].valueFrom uses an unsupported source; only secretKeyRef is supported"
        ),
        (
            "containers: [{env: [{name: A, valueFrom: {secretKeyRef: {optional: maybe}}}]}]",
            "spec.containers[0].env[0].valueFrom.secretKeyRef.optional must be true or false"
        ),
        ("volumes: [{name: a, emptyDir: {}}]", "spec.volumes[0] must have exactly one source, durableDir: {}"),
        (
            "volumes: [{name: a, durableDir: {}, emptyDir: {}}]",
            "spec.volumes[0] must have exactly one source, durableDir: {}"
        ),
        ("workerSelector: {matchLabels: [a]}", "spec.workerSelector.matchLabels must be a mapping of texts"),
        ("workerSelector: {matchLabels: {a: [b]}}", "spec.workerSelector.matchLabels.a must be a text"),
        (
            "workerSelector: {matchExpressions: [{key: a, operator: Gt, values: ['1']}]}",
            "spec.workerSelector.matchExpressions[0].operator must be one of In, NotIn, Exists, DoesNotExist"
        ),
        (
            "workerSelector: {matchExpressions: [{key: a}]}",
            "spec.workerSelector.matchExpressions[0].operator is required"
        ),
        ("snapshotsConfig: {onCommit: Some}", "spec.snapshotsConfig.onCommit must be one of Full, Data"),
        ("snapshotsConfig: {onPause: None}", "spec.snapshotsConfig.onPause must be one of Full, Data"),
        ("onWorkerLoss: panic", "spec.onWorkerLoss must be one of revert, resume, hold"),
        ("golden: 'true'", "spec.golden must be true or false"),
        ("idleTimeout: soon", "spec.idleTimeout must be a time like 90s, 10m or 1h30m"),
    ]) func mistakesInATemplateComeWithTheirPlace(field: String, message: String) {
        let text = "apiVersion: ate.dev/v1\nkind: ActorTemplate\nmetadata: {name: t}\nspec:\n  \(field)"
        #expect(error(text) == "document 1, line 5: \(message)")
    }

    @Test func whatTheControlPlaneWouldRefuseIsRefusedBeforeItIsSent() {
        #expect(
            error("kind: x\n---\napiVersion: ate.dev/v1\nkind: WorkerPool\nspec: {replicas: -1}\nmetadata: {name: p}")
                == "document 2: WorkerPool: spec.replicas must not be negative")
        #expect(
            error("apiVersion: ate.dev/v1\nkind: ActorTemplate\nspec: {containers: [{name: a}]}\nmetadata: {name: t}")
                == "document 1: ActorTemplate: spec.containers[a].command must name a program")
    }

    @Test(arguments: [
        ("90s", 90_000), ("1h30m", 5_400_000), ("1.5m", 90_000), ("250ms", 250), ("1m0.5s", 60_500), ("0s", 0),
    ]) func times(text: String, milliseconds: Int) {
        #expect(Duration(manifest: text) == .milliseconds(milliseconds))
    }

    @Test(arguments: ["", "90", "s", "-1s", "1d", "1s ", "1..5s", "1e3s", "inf", "9999999h"])
    func textsThatAreNoTimes(text: String) {
        #expect(Duration(manifest: text) == nil)
    }

    /// What reading the text ends with.
    private func error(_ text: String) -> String {
        do {
            _ = try Manifest.read(text)
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    @Test func whatNestsWithoutEndIsRefused() {
        #expect(throws: ManifestError.self) { try YAMLParser.documents(String(repeating: "[", count: 5000)) }
        #expect(throws: ManifestError.self) { try YAMLParser.documents(String(repeating: "x", count: 2 << 20)) }
        #expect(throws: ManifestError.self) { try YAMLParser.documents("a: \u{0}") }
    }

    @Test func yamlThatIsWrittenIsReadAgain() throws {
        let value = JSON.object([
            ("list", .array([.object([("a", "x"), ("b", .array(["1", "y"]))]), "text: with colon", ""])),
            ("word", "plain"), ("yes", "true"), ("number", "12"), ("empty", .array([])),
        ])
        let text = value.yaml
        #expect(
            text == """
                list:
                - a: x
                  b:
                  - "1"
                  - "y"
                - "text: with colon"
                - ""
                word: plain
                yes: "true"
                number: "12"
                empty: []

                """)
        #expect(try YAMLParser.documents(text).count == 1)
    }
}
